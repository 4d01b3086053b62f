// "ebpf 6.1" is both of these, "ebpf, netlink" either.
const matcher = (text) => {
  const either = text.toLowerCase().split(",").map((part) => part.split(/\s+/).filter(Boolean)).filter((words) => words.length);
  return (name) => either.length === 0 || either.some((words) => words.every((word) => name.toLowerCase().includes(word)));
};
// A group of fields; each is named by its `data-filter`. Lists are filled with what there is to choose from, and one
// from which nothing can be chosen is not shown.
const filterGroup = (group, lists, changed) => {
  const fields = Object.fromEntries(findAll("[data-filter]", group).map((field) => [field.dataset.filter, field]));
  for (const [name, values] of Object.entries(lists)) {
    const all = [...new Set(values)];
    fields[name].append(...all.map((value) => make("option", { value }, value)));
    fields[name].closest("label").hidden = all.length < 2;
  }
  let waiting;
  group.addEventListener("input", (event) => {
    clearTimeout(waiting);
    // Whoever types does not wait for each letter.
    if (event.target.type === "search") waiting = setTimeout(changed, 120);
    else changed();
  });
  return {
    values: () => Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])),
    set: (values) => Object.entries(values).forEach(([name, value]) => { fields[name].value = value; }),
    say: (text) => { find("[role=status]", group).textContent = text; },
  };
};
