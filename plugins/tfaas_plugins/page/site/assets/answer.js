// Answers: as bars of class labels, as tables, and as they came.

import { h } from "./dom.js";
import { duration, exact } from "./format.js";

const MOST_ROWS = 200;
const MOST_COLUMNS = 60;

/** `answered`: { document, text, seconds, model }; `classLabels`: names of the outputs. */
export function answerShown(answered, classLabels) {
  return h(
    "div",
    { class: "answer stack" },
    h(
      "p",
      { class: "answer-head" },
      h("strong", { "data-test": "model" }, answered.model),
      h("span", { class: "soft" }, ` answered in ${duration(answered.seconds)}`),
    ),
    shown(answered.document, classLabels),
    h(
      "details",
      {},
      h("summary", {}, "The answer as JSON"),
      h(
        "pre",
        { class: "scrolls code", tabindex: "0", "aria-label": "The answer as JSON" },
        answered.text,
      ),
    ),
  );
}

function shown(document, labels) {
  if (Array.isArray(document)) return ofArray(document, labels);
  if (document && typeof document === "object") {
    if (Array.isArray(document.labels))
      return bars(document.labels.map(({ label, probability }) => [label, probability]));
    return h(
      "div",
      { class: "stack" },
      Object.entries(document).map(([name, value]) =>
        h("section", {}, h("h3", {}, name), shown(value, labels)),
      ),
    );
  }
  return h("p", { class: "mono" }, exact(document));
}

function ofArray(values, labels) {
  if (!values.length) return h("p", { class: "soft" }, "No rows.");
  if (values.every((each) => each?.labels))
    return h(
      "div",
      { class: "stack" },
      values.map((each) => h("section", {}, h("h3", {}, each.filename), shown(each, labels))),
    );
  if (!values.some(Array.isArray)) return ofRow(values, labels);
  return table(values, labels);
}

function ofRow(values, labels) {
  if (labels.length === values.length && values.length > 1) {
    return bars(
      values
        .map((value, place) => [labels[place], value])
        .sort(([, a], [, b]) => (b ?? -Infinity) - (a ?? -Infinity)),
    );
  }
  return table([values], labels);
}

/** Bars, the longest one being 1, or the largest value if that is more. */
export function bars(pairs) {
  const longest = Math.max(1, ...pairs.map(([, value]) => Math.abs(value ?? 0)));
  const rows = pairs.slice(0, MOST_ROWS).map(([label, value], place) => {
    const bar = h("div", { class: place === 0 ? "bar-of best" : "bar-of" });
    bar.style.width = `${(100 * Math.abs(value ?? 0)) / longest}%`;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, label),
      h("td", { class: "bar-place" }, bar),
      h("td", { class: "number" }, brief(value)),
    );
  });
  return h(
    "table",
    { class: "bars" },
    h("caption", { class: "unseen" }, "Class labels, the likeliest first"),
    h(
      "thead",
      { class: "unseen" },
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Label"),
        h("th", { scope: "col" }, "Bar"),
        h("th", { scope: "col" }, "Value"),
      ),
    ),
    h("tbody", {}, rows),
  );
}

function brief(value) {
  if (value === null) return "not a number";
  return Math.abs(value) < 1e-4 && value !== 0 ? value.toExponential(1) : value.toPrecision(4);
}

function table(rows, labels) {
  const width = Math.max(...rows.map((row) => (Array.isArray(row) ? row.length : 1)));
  const columns = Array.from({ length: Math.min(width, MOST_COLUMNS) }, (_, place) =>
    labels.length === width ? labels[place] : `[${place}]`,
  );
  const line = (row, place) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "number" }, String(place)),
      columns.map((_, at) =>
        h(
          "td",
          { class: "number mono" },
          Array.isArray(row) ? (at < row.length ? exact(row[at]) : "") : at ? "" : exact(row),
        ),
      ),
    );
  const left = [
    rows.length > MOST_ROWS ? `${rows.length - MOST_ROWS} further rows` : "",
    width > MOST_COLUMNS ? `${width - MOST_COLUMNS} further columns` : "",
  ]
    .filter(Boolean)
    .join(" and ");
  return h(
    "div",
    {},
    h(
      "div",
      { class: "scrolls outputs", tabindex: "0", role: "region", "aria-label": "Outputs" },
      h(
        "table",
        {},
        h("caption", { class: "unseen" }, "Outputs"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col", class: "number" }, "Row"),
            columns.map((each) => h("th", { scope: "col", class: "number" }, each)),
          ),
        ),
        h("tbody", {}, rows.slice(0, MOST_ROWS).map(line)),
      ),
    ),
    left && h("p", { class: "soft small" }, `${left}: see the JSON.`),
  );
}
