// The cells are read at once; the trials, which are most of the file, when the first of them is asked for.
const block = (id) => JSON.parse(document.getElementById(id).textContent);
const data = block("cells-data");
const trialData = (() => {
  let read;
  return () => {
    if (!read) {
      read = block("trials-data");
      read.byName = new Map(read.trials.map((trial, at) => [read.texts[trial.name], at]));
    }
    return read;
  };
})();
const trialLink = (name) => "#trial=" + encodeURIComponent(name);
// A cell of one seed is its trial; one of several leads to the list of them.
const cellLink = (cell) => (cell.count === 1 ? trialLink(cell.name) : "#cell=" + encodeURIComponent(cell.name));
// Numbers before those that are missing, whichever way they are sorted.
const byKey = (key, way) => (a, b) => {
  const [x, y] = [key(a), key(b)];
  if (x === y) return 0;
  if (x === null || x === undefined) return 1;
  if (y === null || y === undefined) return -1;
  return x < y ? -way : way;
};
