// What is known of a model beside how it does: panels of its page.

import { h } from "./dom.js";
import { bytes, minute, pretty, shape } from "./format.js";

const KNOWN = new Set([
  "name",
  "model",
  "labels",
  "options",
  "inputNode",
  "outputNode",
  "description",
  "example",
  "timestamp",
  "version",
  "runtime",
  "signature",
  "size",
  "checksum",
  "batch",
  "signatures",
  "warnings",
]);
const MOST_LABELS = 1000;
const MOST_CHARACTERS = 20000;

/** Inputs and outputs, of each signature. */
export function signaturePanel(record) {
  const all = record.signatures
    ? Object.entries(record.signatures).map(([name, each]) => [name, each.signature])
    : [["", record.signature]];
  const hasDefaults = all.some(([, { inputs }]) => inputs.some((each) => "default" in each));
  const rows = (kind, tensors) =>
    tensors.map((each) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, kind),
        h("td", { class: "mono wraps" }, each.name),
        h("td", {}, each.dtype),
        h("td", { class: "mono" }, shape(each.shape)),
        hasDefaults &&
          h(
            "td",
            { class: "mono wraps" },
            each.default === undefined ? "" : JSON.stringify(each.default).slice(0, 60),
          ),
      ),
    );
  const table = ([name, { inputs, outputs }]) =>
    h(
      "table",
      {},
      h("caption", { class: name && all.length > 1 ? null : "unseen" }, name || "Signature"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["", "Name", "dtype", "Shape", ...(hasDefaults ? ["Default"] : [])].map((each) =>
            each ? h("th", { scope: "col" }, each) : h("td", {}),
          ),
        ),
      ),
      h("tbody", {}, rows("input", inputs), rows("output", outputs)),
    );
  return h(
    "section",
    { class: "panel stack", "aria-labelledby": "signature" },
    h("h2", { id: "signature" }, "Signature"),
    h(
      "div",
      { class: "scrolls stack", tabindex: "0", role: "region", "aria-label": "Inputs and outputs" },
      all.map(table),
    ),
    h(
      "p",
      { class: "soft small" },
      `Batch axis: ${record.batch.axis}. Rows of different requests ${record.batch.merge ? "share runs" : "run apart"}: ${record.batch.reason}.`,
    ),
  );
}

/** What the record says, and further params. */
export function detailsPanel(record) {
  const extra = Object.fromEntries(Object.entries(record).filter(([key]) => !KNOWN.has(key)));
  const rows = [
    ["File", record.model],
    ["Runtime", record.runtime],
    ["Size", bytes(record.size)],
    ["Stored, UTC", minute(record.timestamp)],
    ["Checksum", record.checksum],
    ["Input nodes", [record.inputNode].flat().join(", ")],
    ["Output nodes", [record.outputNode].flat().join(", ")],
  ];
  if (record.options !== null) extra.options = record.options;
  return h(
    "section",
    { class: "panel", "aria-labelledby": "details" },
    h("h2", { id: "details" }, "Details"),
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, "Details"),
      h(
        "tbody",
        {},
        rows.map(([name, value]) =>
          h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "wraps" }, value || "–")),
        ),
      ),
    ),
    Object.keys(extra).length
      ? h(
          "details",
          { open: true },
          h("summary", {}, "Further params"),
          h(
            "pre",
            { class: "scrolls code", tabindex: "0", "aria-label": "Further params" },
            pretty(extra).slice(0, MOST_CHARACTERS),
          ),
        )
      : null,
  );
}

/** The names of the outputs; null if there are none. */
export function labelsPanel(labels) {
  if (!labels.length) return null;
  const left =
    labels.length > MOST_LABELS
      ? h("li", { class: "soft" }, `and ${labels.length - MOST_LABELS} more`)
      : null;
  return h(
    "section",
    { class: "panel", "aria-labelledby": "class-labels" },
    h("h2", { id: "class-labels" }, `Class labels (${labels.length})`),
    h(
      "ol",
      { start: 0, class: "class-labels scrolls", tabindex: "0", "aria-label": "Class labels" },
      labels.slice(0, MOST_LABELS).map((label) => h("li", {}, label)),
      left,
    ),
  );
}

/** The examples that it carries; null if there are none. */
export function examplesPanel(examples) {
  if (!examples.length) return null;
  return h(
    "section",
    { class: "panel", "aria-labelledby": "examples" },
    h("h2", { id: "examples" }, `Examples (${examples.length})`),
    examples
      .slice(0, 20)
      .map((example, place) =>
        h(
          "details",
          {},
          h("summary", {}, `Example ${place + 1}`),
          h(
            "pre",
            { class: "scrolls code", tabindex: "0", "aria-label": `Example ${place + 1}` },
            pretty(example).slice(0, MOST_CHARACTERS),
          ),
        ),
      ),
  );
}
