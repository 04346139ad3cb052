// Elements of text: whatever a server or a model says becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props`: attributes; `on`: listeners by event; a value of null, undefined or false leaves it out. */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same of SVG. */
export function s(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(element, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(
    ...children
      .flat(Infinity)
      .filter((each) => each !== null && each !== undefined && each !== false),
  );
  return element;
}

/** Puts `children` in the place of all that `element` has. */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children
      .flat(Infinity)
      .filter((each) => each !== null && each !== undefined && each !== false),
  );
  return element;
}

/** Fills a place with what somebody has asked for, and brings it in sight. */
export function reveal(element, ...children) {
  fill(element, ...children).scrollIntoView({ block: "nearest" });
}

const NOTE_MS = 7000;
const MOST_NOTES = 4;

let last = 0;

/** A label above a control, which names it. */
export function field(text, control, hint) {
  control.id ||= `field-${++last}`;
  const shown = h("div", { class: "field" }, h("label", { for: control.id }, text), control);
  if (hint) {
    const id = `${control.id}-hint`;
    control.setAttribute("aria-describedby", id);
    shown.append(h("span", { class: "soft small", id }, hint));
  }
  return shown;
}

/** Says something for some seconds, at the corner of the page; what it says already, once. */
export function note(text) {
  const notes = document.getElementById("notes");
  const before = [...notes.children];
  for (const each of before.filter((one) => one.textContent === text)) each.remove();
  for (const each of [...notes.children].slice(0, 1 - MOST_NOTES)) each.remove();
  const shown = h("p", { class: "note" }, text);
  notes.append(shown);
  setTimeout(() => shown.remove(), NOTE_MS);
}

/** What went wrong, in the server's own words, and what to do. */
export function trouble(error, advice) {
  return h(
    "div",
    { class: "trouble", role: "alert" },
    h(
      "p",
      {},
      h("strong", {}, error.status ? `${error.status} ${error.code || ""}: ` : ""),
      error.message,
    ),
    advice ? h("p", { class: "small" }, advice) : null,
  );
}

/** A button that is out of use while what it does goes on. */
export function button(text, action, props = {}) {
  const shown = h("button", { type: "button", ...props }, text);
  shown.addEventListener("click", async () => {
    const giveBack = focusKept();
    shown.disabled = true;
    try {
      await action();
    } finally {
      shown.disabled = false;
      giveBack();
    }
  });
  return shown;
}

/**
 * What has the focus now gets it again when the function that this gives is called, if nothing else has it: what is out
 * of use, or drawn anew, loses it, and whoever has no mouse the place. If it is gone, the heading of its panel gets it.
 */
export function focusKept() {
  const had = document.activeElement;
  const heading = had.closest("section[aria-labelledby]")?.getAttribute("aria-labelledby");
  return () => {
    if (document.activeElement !== document.body) return;
    if (had.isConnected) return had.focus();
    const title = document.getElementById(heading);
    const others = title?.closest("section").querySelectorAll("button, input, select") ?? [];
    const same = [...others].find((each) => nameOf(each) === nameOf(had));
    title?.setAttribute("tabindex", "-1");
    (same ?? title)?.focus();
  };
}

function nameOf(control) {
  return (
    control.getAttribute("aria-label") ?? control.labels?.[0]?.textContent ?? control.textContent
  );
}
