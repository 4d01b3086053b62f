// The table: a row for each cell or for each trial, sorted, filtered, and no more of it than one page.
const resultTable = (() => {
  const root = find("#list");
  const [table, pager] = [find("table", root), find(".pager", root)];
  const PAGE = 50;
  // On paper all of them, where that is not a book.
  const PAPER = 600;
  let [sorted, way, page] = [-1, 1, 0];
  let last = [];

  const ofCell = (cell) => {
    const [s, k, b] = cell.at;
    return { name: cell.name, role: data.backends[b].role, status: cell.status, class: cell.class, link: cellLink(cell), seeds: cell.count, reasons: cell.reasons, scenario: data.setups[s].scenario, kernel: data.kernels[k], field: (at) => cell.fields[at], key: (at) => cell.keys[at] };
  };
  const ofTrial = (trial) => {
    const { texts, columns } = trialData();
    const cell = ofCell(data.cells[trial.cell]);
    const name = texts[trial.name];
    return { ...cell, name, status: texts[trial.status], class: texts[trial.class], link: trialLink(name), seeds: 1, field: (at) => [texts[trial.figures[columns[at]]], ""], key: (at) => trial.keys[at] };
  };
  const bases = {};
  const base = (view) => (bases[view] ||= view === "trials" ? trialData().trials.map(ofTrial) : data.cells.map(ofCell));

  const head = make("thead");
  const sortButton = (at, title, help) => {
    const th = make("th", { scope: "col", title: help, "aria-sort": sorted === at ? (way > 0 ? "ascending" : "descending") : null });
    const button = make("button", { type: "button" }, title, make("span", { "aria-hidden": "true" }, sorted === at ? (way > 0 ? " ▲" : " ▼") : ""));
    button.addEventListener("click", () => {
      // The worst first is what one looks for; names from the start.
      const start = at < 0 ? 1 : data.columns[at].polarity > 0 ? 1 : -1;
      [sorted, way, page] = [at, sorted === at ? -way : start, 0];
      show();
      find("thead", table).rows[0].cells[at < 0 ? 0 : at + 2].querySelector("button").focus();
    });
    th.append(button);
    return th;
  };
  const row = (of) => {
    const name = make("th", { scope: "row" }, make("a", { href: of.link }, of.name));
    if (of.seeds > 1) name.append(make("small", null, count(of.seeds, "seed")));
    if (of.role) name.append(make("small", null, of.role));
    const fields = data.columns.map((_, at) => {
      const [text, spread] = of.field(at);
      return make("td", null, text || "n/a", spread ? make("small", null, spread) : "");
    });
    return make("tr", null, name, make("td", null, make("span", { class: of.class }, of.status), reasonLinks(of.reasons)), fields);
  };
  const draw = (rows) => {
    head.replaceChildren(make("tr", null, sortButton(-1, "trial", "Name of the trial"), make("th", { scope: "col" }, "status"), data.columns.map((column, at) => sortButton(at, column.title, column.help))));
    table.replaceChildren(make("caption", null, find("caption", table)?.textContent || "Results"), head, make("tbody", null, rows.map(row)));
  };
  const show = () => {
    const { text, view, scenario, kernel, status } = filters.values();
    const fits = matcher(text);
    last = base(view).filter((of) => (!scenario || of.scenario === scenario) && (!kernel || of.kernel === kernel) && (!status || of.status.split(" ")[0] === status) && fits(of.name));
    if (sorted >= 0) last.sort(byKey((of) => of.key(sorted), way));
    else if (way < 0) last.reverse();
    const pages = Math.max(1, Math.ceil(last.length / PAGE));
    page = Math.min(page, pages - 1);
    const shown = last.slice(page * PAGE, (page + 1) * PAGE);
    draw(shown);
    const what = view === "trials" ? "trial" : "cell";
    const of = count(last.length, what) + (last.length < base(view).length ? " of " + base(view).length.toLocaleString("en") : "");
    filters.say(last.length > PAGE ? (page * PAGE + 1).toLocaleString("en") + " to " + (page * PAGE + shown.length).toLocaleString("en") + " of " + of : of);
    pager.hidden = pages === 1;
    find("[data-step='-1']", pager).disabled = page === 0;
    find("[data-step='1']", pager).disabled = page === pages - 1;
    find("span", pager).textContent = "Page " + (page + 1) + " of " + pages;
  };
  const filters = filterGroup(find(".filters", root), {
    scenario: data.setups.map((setup) => setup.scenario),
    kernel: data.kernels,
    status: data.cells.map((cell) => cell.status.split(" ")[0]),
  }, () => { page = 0; show(); });
  find("[data-filter=view]", root).closest("label").hidden = data.trials === data.cells.length;
  pager.addEventListener("click", (event) => {
    const step = Number(event.target.closest("button")?.dataset.step);
    if (!step) return;
    page += step;
    show();
    root.scrollIntoView();
  });
  root.hidden = false;
  show();
  return {
    // All seeds of a cell.
    openCell(name) {
      filters.set({ text: name.replaceAll(",", " ") + "/", view: "trials", scenario: "", kernel: "", status: "" });
      page = 0;
      show();
    },
    paper(on) {
      if (on && last.length <= PAPER) draw(last);
      else show();
    },
  };
})();
