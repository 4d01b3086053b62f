// The heat map: backends down, workloads and kernels across. The arrow keys walk over it.
const heatMap = (() => {
  const root = find("#heat");
  if (!root) return { paper() {} };
  const [table, probe, more] = [find("table", root), find(".probe", root), find("button.more", root)];
  // Above so many columns only the figure itself fits into a field, and of so many fields the first are shown.
  const [ROOMY, AT_ONCE] = [12, 1800];
  const SHORT = { unsupported: "none", "backend-failed": "died", lost: "lost", infra: "infra" };
  const cellAt = new Map(data.cells.map((cell) => [cell.at.join(), cell]));
  const watching = data.backends.map((backend, at) => ({ ...backend, at })).filter((backend) => !backend.role);
  // What most backends were measured in comes first.
  const measured = data.setups.map((_, s) => data.cells.filter((cell) => cell.at[0] === s).length);
  const setups = data.setups.map((setup, s) => ({ setup, s })).sort((a, b) => measured[b.s] - measured[a.s]);
  let grown = 0;

  const columnsOf = ({ scenario, load, kernel }) => {
    const columns = [];
    setups.forEach(({ setup, s }) => {
      if ((scenario && setup.scenario !== scenario) || (load && setup.rest !== load)) return;
      data.kernels.forEach((name, k) => {
        if (kernel && name !== kernel) return;
        if (watching.some((backend) => cellAt.has([s, k, backend.at].join()))) columns.push({ s, k });
      });
    });
    return columns;
  };
  const rowsOf = (columns, heat, values) => {
    const { polarity } = data.columns[heat.column];
    const fits = matcher(values.text);
    const mean = (backend) => {
      const keys = columns.map(({ s, k }) => cellAt.get([s, k, backend.at].join())?.keys[heat.column]).filter((key) => key !== undefined && key !== null);
      return keys.length ? keys.reduce((sum, key) => sum + key, 0) / keys.length : undefined;
    };
    const rows = watching.filter((backend) => fits(backend.name) && columns.some(({ s, k }) => cellAt.has([s, k, backend.at].join())));
    // What is neither more nor less is a word, and words are sorted from the best to the worst.
    const bestFirst = polarity > 0 ? -1 : 1;
    if (values.order !== "name") rows.sort(byKey(mean, values.order === "best" ? bestFirst : -bestFirst));
    return rows;
  };
  const figure = (cell, heat, heatAt, roomy) => {
    const [text, spread] = cell.fields[heat.column];
    const level = cell.levels[heatAt];
    const done = cell.status === "completed";
    const small = [];
    if (roomy) {
      const beside = heat.beside === null ? "" : cell.fields[heat.beside][0];
      small.push(...[[spread, beside].filter(Boolean).join(", "), done ? "" : cell.status].filter(Boolean));
    }
    const word = text || (done ? "n/a" : roomy ? "" : SHORT[cell.status.split(" ")[0]]);
    const mark = text && !done && !roomy ? make("sup", { title: cell.status }, "!") : "";
    const td = make("td", { class: level === "x" ? "void " + cell.class : "h" + level });
    td.append(make("a", { href: cellLink(cell), tabindex: -1 }, word && roomy ? make("b", null, word) : word, mark, small.map((line) => make("small", null, line))));
    td.cell = cell;
    return td;
  };
  const draw = (into, heatAt, values, bound) => {
    const heat = data.heats[heatAt];
    const columns = columnsOf(values);
    const rows = rowsOf(columns, heat, values);
    const roomy = columns.length <= ROOMY;
    const shown = rows.slice(0, Math.max(12, Math.floor(bound / Math.max(1, columns.length))));
    const groups = [];
    for (const { s } of columns) {
      if (groups.at(-1)?.s === s) groups.at(-1).span += 1;
      else groups.push({ s, span: 1 });
    }
    const one = groups.length === 1;
    const head = make("thead", null,
      one ? "" : make("tr", null, make("td"), groups.map(({ s, span }) => make("th", { scope: "colgroup", colspan: span, class: "first" }, make("span", { title: data.setups[s].label }, data.setups[s].short)))),
      make("tr", null, make("th", { scope: "col" }, "backend"), columns.map(({ s, k }, at) => make("th", { scope: "col", class: columns[at - 1]?.s === s ? null : "first" }, data.kernels[k]))));
    const body = make("tbody", null, shown.map((backend) => make("tr", null,
      make("th", { scope: "row" }, backend.name),
      columns.map(({ s, k }, at) => {
        const cell = cellAt.get([s, k, backend.at].join());
        const td = cell ? figure(cell, heat, heatAt, roomy) : make("td", { class: "void idle" }, make("span", { title: "no trial" }, roomy ? "no trial" : "·"));
        if (columns[at - 1]?.s !== s) td.classList.add("first");
        return td;
      }))));
    into.className = roomy ? "map" : "map dense";
    into.replaceChildren(make("caption", null, heat.title + (one ? ": " + data.setups[groups[0].s].label : data.common && ": " + data.common)), head, body);
    return { rows: rows.length, shown: shown.length, columns: columns.length };
  };

  const chosen = () => Number(find("input[name=heat]:checked", root).value);
  const show = () => {
    const heat = data.heats[chosen()];
    find(".help", root).textContent = heat.help + (heat.polarity ? " " + heat.polarity[0].toUpperCase() + heat.polarity.slice(1) + "." : "");
    find(".legend", root).replaceChildren(make("span", null, "Best"), ...heat.legend.map(([level, words]) => make("span", { class: "h" + level }, words)), make("span", null, "worst"));
    const drawn = draw(table, chosen(), filters.values(), AT_ONCE * (1 + grown));
    const first = find("td a", table);
    if (first) first.tabIndex = 0;
    more.hidden = drawn.shown === drawn.rows;
    more.textContent = "Show more of " + count(drawn.rows - drawn.shown, "further backend");
    filters.say(drawn.rows ? count(drawn.rows, "backend") + (drawn.shown < drawn.rows ? ", the first " + drawn.shown + " shown," : "") + " × " + count(drawn.columns, "column") : "Nothing has all of these.");
    probe.textContent = "";
  };
  const restart = () => { grown = 0; show(); };
  const filters = filterGroup(find(".filters", root), {
    scenario: data.setups.map((setup) => setup.scenario),
    load: data.setups.map((setup) => setup.rest),
    kernel: data.kernels,
  }, restart);
  // Every load and lifetime of every scenario beside each other would be a wall.
  if (columnsOf(filters.values()).length > 60) filters.set({ load: data.setups[0].rest });

  // What a field holds, in words, for whoever stands on it.
  const tell = (event) => {
    const cell = event.target.closest?.("td")?.cell;
    if (!cell) return;
    const [s, k, b] = cell.at;
    const figures = data.columns.map((column, at) => cell.fields[at][0] && column.title + " " + cell.fields[at][0] + (cell.fields[at][1] ? " (" + cell.fields[at][1] + ")" : "")).filter(Boolean);
    probe.replaceChildren(make("b", null, data.kernels[k] + ", " + data.backends[b].name + ", " + data.setups[s].label), ": ", [cell.status === "completed" ? "" : cell.status, ...figures].filter(Boolean).join("; ") || "nothing was measured");
  };
  table.addEventListener("mouseover", tell);
  table.addEventListener("focusin", tell);
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-1e6, 0], End: [1e6, 0] }[event.key];
    const from = event.target.closest("td");
    if (!step || !from || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const rows = [...table.tBodies[0].rows];
    const clamp = (at, most) => Math.min(Math.max(at, 0), most);
    const down = Math.sign(step[1]);
    let row = rows.indexOf(from.parentElement);
    let column = clamp(from.cellIndex + step[0], rows[row].cells.length - 1);
    // Over fields without a trial to the next that has one.
    const side = Math.sign(step[0]) * (Math.abs(step[0]) > 1 ? -1 : 1);
    for (row += down; rows[row]?.cells[column]; row += down, column += side) {
      const link = find("td > a", rows[row]) && rows[row].cells[column].querySelector("a");
      if (link && rows[row].cells[column].cell) {
        findAll("td a[tabindex='0']", table).forEach((other) => { other.tabIndex = -1; });
        link.tabIndex = 0;
        link.focus();
        return;
      }
    }
  });
  root.addEventListener("change", (event) => { if (event.target.name === "heat") show(); });
  more.addEventListener("click", () => { grown += 1; show(); });
  root.hidden = false;
  show();

  // On paper nobody switches: all figures, where that is not a book.
  const PAPER = 6000;
  const sheets = find(".sheets", root);
  return {
    paper(on) {
      sheets.replaceChildren();
      if (!on || data.cells.length * data.heats.length > PAPER) return;
      data.heats.forEach((_, at) => {
        if (at === chosen()) return;
        const sheet = make("table");
        draw(sheet, at, filters.values(), PAPER);
        sheets.append(sheet);
      });
    },
  };
})();
