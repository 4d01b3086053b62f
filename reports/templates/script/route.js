// Addresses: `#trial=NAME` is the page of a trial, `#cell=NAME` the list of its seeds, any other a place in the report.
const reportParts = [find("body > header"), find("#report")];
const title = document.title;
let left;
const showReport = (is) => {
  reportParts.forEach((part) => { part.hidden = !is; });
  trialPage.root.hidden = is;
};
const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
const route = () => {
  const [, kind, rest] = location.hash.match(/^#(trial|cell)=(.*)$/s) || [];
  if (kind === "trial") {
    // From one trial to another, the place in the report stays what it was.
    if (trialPage.root.hidden) left = { y: scrollY, focus: document.activeElement };
    const heading = trialPage.fill(decoded(rest));
    showReport(false);
    document.title = decoded(rest) + " · " + title;
    scrollTo(0, 0);
    heading.focus({ preventScroll: true });
    return;
  }
  const back = !trialPage.root.hidden;
  showReport(true);
  document.title = title;
  if (kind === "cell") {
    resultTable.openCell(decoded(rest));
    find("#cells").scrollIntoView();
    find("#list table a")?.focus({ preventScroll: true });
    return;
  }
  if (!back) return;
  if (left && left.focus !== document.body && left.focus.isConnected) {
    scrollTo(0, left.y);
    left.focus.focus({ preventScroll: true });
  } else {
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
};
addEventListener("hashchange", route);
route();
