// The forms of a request: one row, a batch, a picture, and any JSON.

import { table } from "./csv.js";
import { dropPlace } from "./drop.js";
import { h, field, fill } from "./dom.js";
import { bytes, count, pretty, shape } from "./format.js";
import {
  firstDocument,
  isForPictures,
  madeUp,
  onlyInput,
  rowLength,
  rowShape,
  takesPictures,
  valueText,
} from "./tensors.js";

/**
 * Those that suit the model's signature, each { label, codec, element, made() }: `made` gives { body } or { file }, and
 * throws Error with a sentence. `changed` is called whenever they would make another request.
 */
export function formsFor(signature, params, examples, changed) {
  const pictures = takesPictures(signature, params) ? [pictureForm(signature, changed)] : [];
  const rows = rowLength(signature)
    ? [
        rowForm(signature, params, examples, changed),
        batchForm(signature, params, examples, changed),
      ]
    : [];
  const others = [...rows, jsonForm(signature, examples, changed)];
  return pictures.length && isForPictures(signature, params)
    ? [...pictures, ...others]
    : [...others, ...pictures];
}

function names(params, length) {
  return Array.isArray(params.features) && params.features.length === length
    ? params.features
    : Array.from({ length }, (_, place) => `[${place}]`);
}

// The rows of the examples that suit the columns, and a row of zeros.
function rowsOf(signature, params, examples) {
  const length = rowLength(signature);
  const rows = [];
  examples.forEach(({ values, keys = [] }, place) => {
    const row = Array.isArray(values?.[0]) ? values[0] : values;
    if (!Array.isArray(row) || row.length !== length) return;
    const order =
      keys.length === length && params.features
        ? params.features.map((name) => keys.indexOf(name))
        : null;
    rows.push({ label: `Example ${place + 1}`, row: order ? order.map((at) => row[at]) : row });
  });
  return [...rows, { label: "Made-up values", row: madeUp(onlyInput(signature), signature) }];
}

function rowForm(signature, params, examples, changed) {
  const input = onlyInput(signature),
    length = rowLength(signature),
    features = names(params, length);
  const inputs = features.map(() =>
    h("input", {
      class: "mono",
      autocomplete: "off",
      spellcheck: "false",
      inputmode: input.dtype === "string" ? "text" : "decimal",
    }),
  );
  const rows = rowsOf(signature, params, examples);
  const set = (row) => {
    inputs.forEach((each, place) => {
      each.value = row[place] === null ? "" : String(row[place]?.b64 ?? row[place]);
    });
    changed();
  };
  const choice = h(
    "select",
    {},
    rows.map(({ label }, place) => h("option", { value: place }, label)),
  );
  choice.addEventListener("change", () => set(rows[choice.value].row));
  inputs.forEach((each) => each.addEventListener("input", changed));
  set(rows[0].row);
  const cells = features.map((name, place) =>
    h("div", { class: "feature" }, field(name, inputs[place])),
  );
  const element = h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "bar" },
      field("Fill with", choice),
      h("span", { class: "soft small" }, `${count(length, "value", "values")}, ${input.dtype}`),
    ),
    h(
      "div",
      {
        class: length > 60 ? "features many" : "features",
        role: "group",
        "aria-label": "The values of a row",
      },
      cells,
    ),
  );
  const made = () => ({
    body: `{"values": [${inputs.map((each, place) => valueText(each.value, input.dtype, features[place])).join(", ")}]}`,
  });
  return { label: "Row", codec: "json", element, made };
}

function batchForm(signature, params, examples, changed) {
  const input = onlyInput(signature),
    length = rowLength(signature),
    features = names(params, length);
  const rows = rowsOf(signature, params, examples).map(({ row }) => row.join(","));
  const header = params.features ? `${features.join(",")}\n` : "";
  const text = h("textarea", { spellcheck: "false", rows: 10, wrap: "off" });
  text.value = `${header}${[...rows, rows.at(-1)].slice(0, 3).join("\n")}\n`;
  text.addEventListener("input", changed);
  const element = field(
    "Rows, as CSV or JSON",
    text,
    `${count(length, "value", "values")} in a row. A first line of names may order the columns; a spreadsheet's cells can be pasted, too.`,
  );
  return {
    label: "Batch",
    codec: "json",
    element,
    made: () => ({ body: batchBody(text.value, input.dtype) }),
  };
}

function batchBody(text, dtype) {
  const start = text.trim()[0];
  if (start === "[" || start === "{")
    return start === "[" ? `{"values": ${checked(text)}}` : checked(text);
  const { keys, rows } = table(text, dtype === "string");
  if (!rows.length) throw new Error("There are no rows. Paste one a line.");
  const lines = rows.map(
    (row, place) =>
      `[${row.map((cell, at) => valueText(cell, dtype, `Row ${place + 1}, ${keys[at] ?? `value ${at + 1}`}`)).join(", ")}]`,
  );
  const named = keys.length ? `"keys": ${JSON.stringify(keys)}, ` : "";
  return `{${named}"values": [${lines.join(",\n ")}]}`;
}

function checked(text) {
  try {
    JSON.parse(text);
  } catch (error) {
    // Python writes NaN, and the server reads it.
    if (!/\bNaN\b/.test(text)) throw new Error(`This is no JSON: ${error.message}.`);
  }
  return text.trim();
}

function jsonForm(signature, examples, changed) {
  const text = h("textarea", { spellcheck: "false", rows: 12 });
  text.value = pretty(firstDocument(signature, examples));
  text.addEventListener("input", changed);
  const inputs = signature.inputs
    .map((each) => `${each.name}: ${each.dtype} ${shape(rowShape(each, signature))}`)
    .join("; ");
  const hint =
    signature.batch === "none" ? `Whole tensors. ${inputs}` : `A row, or a list of rows. ${inputs}`;
  return {
    label: "JSON",
    codec: "json",
    element: field("The request, without the model", text, hint),
    made: () => ({ body: checked(text.value) }),
  };
}

function pictureForm(signature, changed) {
  let file = null,
    url = "";
  const shown = h("div", { class: "picture" });
  const take = ([chosen]) => {
    URL.revokeObjectURL(url);
    file = chosen;
    url = URL.createObjectURL(file);
    fill(
      shown,
      h("img", { src: url, alt: "The picture that is sent" }),
      h("p", { class: "small" }, `${file.name}, ${bytes(file.size)}`),
    );
    changed({ send: true });
  };
  const sizes = rowShape(onlyInput(signature), signature);
  const element = h(
    "div",
    { class: "stack" },
    dropPlace({
      text: "Drop a picture here, or choose one",
      hint: `PNG or JPEG. The model takes ${sizes.length ? shape(sizes) : "the file itself"}.`,
      accept: "image/png,image/jpeg",
      taken: take,
    }),
    shown,
  );
  const made = () => {
    if (!file) throw new Error("Drop a picture first, or choose one.");
    return { file };
  };
  return { label: "Picture", codec: "image", element, made };
}
