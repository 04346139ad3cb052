// The versions of a model: which one is live, their labels, roll-back and deletion.

import { address, ask, json, modelPath } from "./api.js";
import { confirm } from "./dialogs.js";
import { button, field, focusKept, h, note, reveal, trouble } from "./dom.js";
import { bytes, minute } from "./format.js";
import { token } from "./token.js";

const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** `changed()` is called, and waited for, after each change. */
export function versionsPanel(name, versions, changed) {
  const told = h("div", { class: "told" });
  const doing = (action, said) => async () => {
    const giveBack = focusKept();
    try {
      await action();
      note(said);
      await changed();
    } catch (error) {
      reveal(told, trouble(error));
    } finally {
      giveBack();
    }
  };
  const live = versions.find((each) => each.live);
  const back = button(
    "Roll back",
    () =>
      confirm({
        title: `Roll back ${name}?`,
        text: `Version ${live.version} makes way for the one that was live before it.`,
        verb: "Roll back",
        action: async () => {
          const record = await json("POST", modelPath(name, "rollback"));
          note(`${name}/${record.version} is live.`);
          await changed();
        },
      }),
    { class: "small" },
  );
  const rows = versions.toReversed().map((version) => versionRow(name, version, doing, changed));
  return h(
    "section",
    { class: "panel", "aria-labelledby": "versions" },
    h(
      "div",
      { class: "bar head" },
      h("h2", { id: "versions" }, "Versions"),
      versions.length > 1 ? back : null,
    ),
    told,
    h(
      "div",
      { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Table of versions" },
      h(
        "table",
        { class: "versions" },
        h("caption", { class: "unseen" }, `Versions of ${name}`),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Version"),
            h("th", { scope: "col" }, "Labels"),
            h("th", { scope: "col" }, "Stored, UTC"),
            h("th", { scope: "col", class: "number spare" }, "Size"),
            h("th", { scope: "col" }, "Actions"),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
    labelForm(name, versions, doing),
  );
}

function versionRow(name, version, doing, changed) {
  const number = version.version;
  const labels = version.versionLabels.map((label) =>
    h(
      "span",
      { class: "tag" },
      label,
      " ",
      button(
        "×",
        doing(() => ask("DELETE", modelPath(name, "labels", label)), `The label ${label} is gone.`),
        { class: "inline", "aria-label": `Remove the label ${label}` },
      ),
    ),
  );
  const actions = [
    version.live
      ? null
      : button(
          "Make live",
          doing(
            () => json("POST", modelPath(name, "rollback"), { version: number }),
            `${name}/${number} is live.`,
          ),
          { class: "small", "aria-label": `Make version ${number} live` },
        ),
    button(
      "Download",
      () => download(modelPath(name, "versions", number, "download"), `${name}-${number}.tar.gz`),
      { class: "small", "aria-label": `Download version ${number}` },
    ),
    version.live || version.versionLabels.length
      ? null
      : button(
          "Delete",
          () =>
            confirm({
              title: `Delete version ${number} of ${name}?`,
              text: "It cannot be brought back.",
              verb: "Delete",
              typed: String(number),
              danger: true,
              action: async () => {
                await ask("DELETE", modelPath(name, "versions", number));
                note(`${name}/${number} is deleted.`);
                await changed();
              },
            }),
          { class: "small danger", "aria-label": `Delete version ${number}` },
        ),
  ];
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      String(number),
      version.live ? [" ", h("span", { class: "tag live" }, "live")] : null,
    ),
    h("td", { class: "tags" }, labels),
    h("td", { class: "when" }, minute(version.timestamp)),
    h("td", { class: "number spare" }, bytes(version.size)),
    h("td", {}, h("div", { class: "actions" }, actions)),
  );
}

function labelForm(name, versions, doing) {
  const label = h("input", {
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 128,
    placeholder: "canary",
  });
  const number = h(
    "select",
    {},
    versions.toReversed().map((each) => h("option", {}, String(each.version))),
  );
  const put = doing(async () => {
    if (!LABEL.test(label.value))
      throw new Error(
        "A label is letters, digits, dots, dashes and underscores, and begins with a letter or digit.",
      );
    await json("PUT", modelPath(name, "labels", label.value), { version: Number(number.value) });
  }, "The label is set.");
  const form = h(
    "form",
    { class: "bar label-form" },
    field("Label", label),
    field("names version", number),
    h("button", {}, "Set"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    put();
  });
  return form;
}

/** Saves what a path answers, with the token if there is one. */
export async function download(path, filename) {
  let url = address(path);
  if (token.value) url = URL.createObjectURL(await (await ask("GET", path)).blob());
  const link = h("a", { href: url, download: filename });
  link.click();
  if (token.value) setTimeout(() => URL.revokeObjectURL(url), 60000);
}
