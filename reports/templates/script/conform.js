// The conformance table: all of it is here, and what is chosen is shown.
(() => {
  const table = document.querySelector("table.conform");
  if (!table) return;
  const group = document.querySelector("#conform-filters");
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
