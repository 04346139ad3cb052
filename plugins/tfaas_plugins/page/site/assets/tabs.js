// Tabs, by mouse and by arrow keys.

import { h, fill } from "./dom.js";

let last = 0;

/** `tabs`: { label, element } each; `changed(place)` is told which one is shown. */
export function tabs(name, choices, changed = () => {}) {
  const group = `tabs-${++last}`;
  const panel = h("div", { role: "tabpanel", id: `${group}-panel`, class: "tab-panel" });
  const buttons = choices.map(({ label }, place) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `${group}-${place}`,
        "aria-controls": panel.id,
        on: { click: () => choose(place), keydown: (event) => move(event, place) },
      },
      label,
    ),
  );
  const choose = (place) => {
    buttons.forEach((each, at) => {
      each.setAttribute("aria-selected", String(at === place));
      each.tabIndex = at === place ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[place].id);
    fill(panel, choices[place].element);
    changed(place);
  };
  const move = (event, place) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (place + step + buttons.length) % buttons.length;
    choose(next);
    buttons[next].focus();
  };
  choose(0);
  return h(
    "div",
    {},
    h("div", { role: "tablist", "aria-label": name, class: "tabs" }, buttons),
    panel,
  );
}
