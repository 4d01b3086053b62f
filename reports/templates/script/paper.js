// What is made only when it is asked for is asked for by a printer, too.
const paper = (on) => {
  heatMap.paper(on);
  resultTable.paper(on);
};
addEventListener("beforeprint", () => paper(true));
addEventListener("afterprint", () => paper(false));
