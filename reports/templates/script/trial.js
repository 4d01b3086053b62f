// The page of a trial.
const trialPage = (() => {
  const root = find("#trial");
  // Quotients are rounded down: all is said only of all.
  const percent = (part, whole) => (part === 0 ? "" : part === whole ? "100%" : part * 1000 < whole ? "<0.1%" : (Math.floor((part * 1000) / whole) / 10).toFixed(1) + "%");
  const part = (id, title, ...children) => make("section", { "aria-labelledby": id }, make("h2", { id }, title), ...children);
  const scroll = (label, table) => make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": label }, table);
  const facts = (rows, kind) => make("dl", { class: kind }, rows.map(([name, value, help]) => make("div", { title: help }, make("dt", null, name), make("dd", null, value))));

  const verdict = ([title, help, names], counts) => {
    const whole = counts.reduce((sum, number) => sum + number, 0);
    const rows = names.map((name, at) => {
      const bar = make("i", { class: at === 0 ? "all" : null });
      bar.style.width = (whole ? (100 * counts[at]) / whole : 0) + "%";
      return make("tr", { class: counts[at] ? null : "zero" }, make("th", { scope: "row" }, name), make("td", null, counts[at].toLocaleString("en")), make("td", null, percent(counts[at], whole)), make("td", { class: "bar", "aria-hidden": "true" }, bar));
    });
    return make("table", { class: "verdict" }, make("caption", null, title, make("small", null, help)), make("tbody", null, rows));
  };
  const examples = (texts, trial) => {
    const head = make("tr", null, ["what", "exec", "pid", "truth", "reported"].map((name) => make("th", { scope: "col" }, name)));
    const rows = trial.examples.map(([what, ...rest]) => make("tr", null, make("th", { scope: "row" }, texts[what]), rest.map((text, at) => make("td", null, at < 2 ? texts[text] : make("code", null, texts[text])))));
    return scroll("Examples", make("table", { class: "plain" }, make("caption", null, "Some execs that were missed or reported wrong"), make("thead", null, head), make("tbody", null, rows)));
  };
  const labels = (texts, trial) => {
    const head = make("tr", null, ["kind of exec", "in truth", "seen", "missed", "best path"].map((name) => make("th", { scope: "col" }, name)));
    const rows = trial.labels.map(([name, counts]) => make("tr", null, make("th", { scope: "row" }, texts[name]), counts.map((number) => make("td", null, number.toLocaleString("en")))));
    return scroll("By kind of exec", make("table", { class: "plain numbers" }, make("caption", null, "By kind of exec"), make("thead", null, head), make("tbody", null, rows)));
  };
  const again = (texts, trial) => {
    const command = make("code", { class: "command" }, texts[trial.replay]);
    const line = make("p", null, command);
    if (navigator.clipboard) {
      const copy = make("button", { type: "button" }, "Copy");
      const said = make("span", { role: "status", class: "hint" });
      copy.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(texts[trial.replay]);
          said.textContent = "copied";
        } catch {
          said.textContent = "this browser does not allow it; please mark and copy it yourself";
        }
      });
      line.append(" ", copy, " ", said);
    }
    const log = texts[trial.log];
    return [
      make("p", null, "In the directory of the run, this very trial, with a timeline of truth, sightings and loss reports on one clock:"), line,
      log ? make("p", null, "Its serial log stands beside this report, if it lies in the directory of the run: ", make("a", { href: log, class: "log" }, decodeURIComponent(log)), ".") : "",
    ];
  };
  const others = (texts, trials, at) => {
    const cell = data.cells[trials[at].cell];
    if (cell.count === 1) return "";
    const near = trials.slice(cell.first, cell.first + cell.count).map((trial, n) => ({ trial, at: cell.first + n })).filter((other) => Math.abs(other.at - at) <= 8);
    return make("p", { class: "seeds" }, count(cell.count, "seed") + ": ", near.flatMap((other) => [other.at === at ? make("b", { "aria-current": "page" }, other.trial.seed) : make("a", { href: trialLink(texts[other.trial.name]), "aria-label": "seed " + other.trial.seed }, other.trial.seed), " "]), make("a", { href: cellLink(cell) }, "all of them"));
  };

  const fill = (name) => {
    const { texts, trials, byName, metrics, groups } = trialData();
    const back = make("a", { href: "#cells", class: "back" }, "← Back to the report");
    const at = byName.get(name);
    const heading = make("h1", { tabindex: -1 }, name);
    const nav = make("nav", { "aria-label": "Back" }, back);
    if (at === undefined) {
      root.replaceChildren(nav, heading, make("p", { class: "warning" }, "No trial of this name is in this report."));
      return heading;
    }
    const trial = trials[at];
    const cell = data.cells[trial.cell];
    const setup = data.setups[cell.at[0]];
    const main = data.columns.map((column, n) => [column.title, texts[trial.figures[trialData().columns[n]]], column.help]).filter(([, value]) => value).slice(0, 8);
    const counted = groups.map((group, n) => trial.counts[n] && verdict(group, trial.counts[n])).filter(Boolean);
    const figures = metrics.map(([title, help], n) => [title, texts[trial.figures[n]], help]).filter(([, value]) => value);
    root.replaceChildren(
      nav, heading,
      make("p", { class: "lead" }, make("span", { class: "badge " + texts[trial.class] }, texts[trial.status]), " ", data.backends[cell.at[2]].name + " on " + data.kernels[cell.at[1]] + "; " + setup.label + "; seed " + trial.seed),
      others(texts, trials, at),
      trial.reason ? make("p", { class: "warning" }, make("b", null, "Reason: "), make("code", null, texts[trial.reason])) : "",
      main.length ? facts(main, "tiles") : "",
      counted.length ? part("verdicts", "What became of each exec", make("div", { class: "verdicts" }, counted), trial.labels ? labels(texts, trial) : "") : "",
      trial.examples ? part("examples", "Examples", examples(texts, trial)) : "",
      trial.losses ? part("losses", "Loss, by its own word", make("ul", null, trial.losses.map((text) => make("li", null, texts[text])))) : "",
      trial.notes ? part("notes", "Notes", make("ul", null, trial.notes.map((text) => make("li", null, make("code", null, texts[text]))))) : "",
      part("again", "Run it again", again(texts, trial)),
      figures.length ? part("figures", "All figures", facts(figures, "figures")) : "",
      part("facts", "What made it what it is", facts(trial.facts.map(([title, value]) => [texts[title], make("code", null, texts[value])]), "facts")),
    );
    return heading;
  };
  return { root, fill };
})();
