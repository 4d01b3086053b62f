// Elements are made here, of names that are ours: whatever a guest wrote goes in as text and stays text.
const make = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== "" && child !== undefined && child !== null));
  return element;
};
const find = (selector, inside = document) => inside.querySelector(selector);
const findAll = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const count = (number, word) => number.toLocaleString("en") + " " + word + (number === 1 ? "" : "s");
// Links to the list of reasons, as they stand beside a status.
const reasonLinks = (numbers) => numbers.flatMap((number) => [" ", make("a", { href: "#reason-" + number, "aria-label": "reason " + number }, "[" + number + "]")]);
