// Without this script every heat map is shown; with it, one at a time.
"use strict";
(() => {
  const group = document.querySelector(".switch");
  if (!group) return;
  const buttons = [...group.querySelectorAll("button")];
  const show = (chosen) => {
    for (const button of buttons) {
      const on = button === chosen;
      button.setAttribute("aria-pressed", String(on));
      // A class and not `hidden`: on paper all of them are shown.
      document.getElementById("heat-" + button.dataset.heat).classList.toggle("off", !on);
    }
  };
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) show(button);
  });
  group.hidden = false;
  show(buttons[0]);
})();
// A link to a trial opens it.
(() => {
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
// Without this part all of the conformance table is shown; with it, what is chosen.
(() => {
  const table = document.querySelector("table.conform");
  if (!table) return;
  const group = document.querySelector(".filters");
  const selects = [...group.querySelectorAll("select")];
  const status = group.querySelector("[role=status]");
  const rows = [...table.tBodies[0].rows];
  const has = (list, word) => !word || (list || "").split(" ").includes(word);
  const show = () => {
    const chosen = Object.fromEntries(selects.map((select) => [select.dataset.filter, select.value]));
    // A class and not `hidden`: on paper all of it is shown.
    const off = (element, is) => element.classList.toggle("off", is);
    const columns = [...table.tHead.rows[0].cells];
    columns.forEach((cell, at) => off(cell, at > 0 && chosen.backend !== "" && at - 1 !== Number(chosen.backend)));
    let lines = 0;
    for (const row of rows) {
      let found = 0;
      [...row.cells].forEach((cell, at) => {
        const out = at > 0 && chosen.backend !== "" && at - 1 !== Number(chosen.backend);
        off(cell, out);
        for (const line of cell.querySelectorAll("p")) {
          const fits = has(line.dataset.k, chosen.kernel) && has(line.dataset.m, chosen.mark);
          off(line, !fits);
          if (fits && !out) found += 1;
        }
      });
      const fits = found > 0 && (chosen.scenario === "" || row.cells[0].textContent === chosen.scenario);
      off(row, !fits);
      if (fits) lines += found;
    }
    status.textContent = lines + (lines === 1 ? " class shown" : " classes shown");
  };
  group.addEventListener("change", show);
  group.hidden = false;
  show();
})();
