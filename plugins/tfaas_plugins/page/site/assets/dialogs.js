// Questions before what cannot be undone.

import { h, field, trouble } from "./dom.js";

/**
 * Asks, and does it; the dialog stays, with what went wrong, if it fails. `typed`: a word to type first. Gives what is
 * fulfilled once the dialog is closed.
 */
export function confirm({ title, text, action, verb, typed = "", danger = false }) {
  const input = typed ? h("input", { autocomplete: "off", spellcheck: "false" }) : null;
  const go = h("button", { class: danger ? "danger" : "primary", disabled: Boolean(typed) }, verb);
  const said = h("div");
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "question" }, title),
    h("p", {}, text),
    input && field(`Type ${typed} to confirm`, input),
    said,
    h(
      "div",
      { class: "bar" },
      h("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel"),
      go,
    ),
  );
  const dialog = h("dialog", { "aria-labelledby": "question" }, form);
  input?.addEventListener("input", () => {
    go.disabled = input.value !== typed;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      await action();
      dialog.close();
    } catch (error) {
      said.replaceChildren(trouble(error));
      go.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
  });
}
