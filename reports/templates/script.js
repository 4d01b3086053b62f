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
