// Upload by drag and drop: a frozen graph, a tarball, or the files of a form.

import { address, upload } from "./api.js";
import { dropPlace } from "./drop.js";
import { button, field, fill, h, note, reveal, trouble } from "./dom.js";
import { bytes } from "./format.js";
import { server } from "./server.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const BUNDLE = /\.(tar|tgz|tar\.gz|taz)$/i;
const MOST_PARAMS_BYTES = 1 << 20;
const PARTS = { model: "Model", params: "params.json", labels: "Class labels" };

const ADVICE = {
  400: "Nothing was stored. A model is a frozen graph (.pb), or a tarball of one folder that holds it: tar cfz model.tar.gz model",
  401: "Give a token by the button “Token” at the top.",
  403: "Nothing was stored. Ask whoever runs this server for the right to upload.",
  409: "Nothing was stored. Wait until the other change is over, and upload again.",
  413: "Nothing was stored. Upload a smaller file, or have the limit that is named raised by whoever runs this server.",
  415: "Nothing was stored. Send a frozen graph (.pb), or a tarball.",
  422: "Nothing was stored, and the version before, if there is one, is served on. Mend what is named, and upload again.",
  503: "Nothing was stored. Try again in a moment.",
  507: "Nothing was stored. Whoever runs this server has to make room.",
};

/** The view; gives its element. */
export function uploadView() {
  const sending = new Sending();
  const name = h("input", { autocomplete: "off", spellcheck: "false", maxlength: 128 });
  const list = h("div");
  const told = h("div", { class: "stack", "aria-live": "polite" });
  const parts = {};
  let proposed = "";
  const draw = async () => {
    fill(list, chosen(parts, draw));
    const found = await suggested(parts);
    // What somebody has typed stays.
    if (name.value === proposed) name.value = proposed = found;
  };
  const take = (files) => {
    for (const file of files) parts[partOf(file, files)] = file;
    fill(told);
    draw();
  };
  const folder = () =>
    reveal(
      told,
      trouble(
        new Error("A folder cannot be sent as it is."),
        "Make a tarball of it, and drop that here: tar cfz model.tar.gz model",
      ),
    );
  const send = async () => {
    try {
      const record = await sending.send(parts, name.value.trim(), told);
      for (const warning of record.warnings ?? []) note(warning);
      note(`${record.name}/${record.version} is live.`);
      await server.refresh();
      location.hash = `#/models/${encodeURIComponent(record.name)}`;
    } catch (error) {
      if (error.name !== "AbortError") reveal(told, trouble(error, ADVICE[error.status]));
    }
  };
  const hint =
    "Letters, digits, dots, dashes and underscores. Leave it empty if the tarball or params.json has it.";
  draw();
  const element = h(
    "div",
    { class: "stack" },
    h("h1", {}, "Upload"),
    h(
      "div",
      { class: "columns upload" },
      h(
        "section",
        { class: "panel stack", "aria-label": "Upload a model" },
        dropPlace({
          text: "Drop the model here, or choose files",
          hint: "A frozen graph (.pb), a tarball with a SavedModel; beside it params.json and labels.txt, if there are any.",
          multiple: true,
          taken: take,
          folder,
        }),
        list,
        field("Name", name, hint),
        h("div", {}, button("Upload", send, { class: "primary" })),
        told,
      ),
      help(),
    ),
  );
  return { element, title: "Upload", end: () => sending.abort() };
}

function help() {
  const line = `curl -s ${address("upload")} \\\n    -F name=mine -F model=@model.pb`;
  return h(
    "section",
    { class: "panel", "aria-labelledby": "what" },
    h("h2", { id: "what" }, "What can be sent"),
    h(
      "dl",
      {},
      h("dt", {}, "A frozen graph"),
      h(
        "dd",
        {},
        "One file, a binary GraphDef, usually .pb. It needs a name; inputs and outputs are found in it.",
      ),
      h("dt", {}, "A tarball"),
      h(
        "dd",
        {},
        "One folder with a SavedModel or a frozen graph, and with params.json, labels.txt and warmup.json, if there are any: ",
        h("code", {}, "tar cfz model.tar.gz model"),
      ),
      h("dt", {}, "params.json"),
      h(
        "dd",
        {},
        "What the file does not say: nodes, names of features, a description, an example.",
      ),
      h("dt", {}, "Class labels"),
      h("dd", {}, "The names of the outputs, one a line."),
    ),
    h(
      "p",
      { class: "soft small" },
      "An upload under a name that is there makes a new version of it, which is live once it is loaded. No request fails meanwhile. By curl:",
    ),
    h("pre", { class: "code scrolls", tabindex: "0", "aria-label": "An upload by curl" }, line),
  );
}

// What a file is, by its name.
function partOf(file, files) {
  if (/\.json$/i.test(file.name)) return "params";
  if (
    /\.(txt|csv)$/i.test(file.name) &&
    (files.length > 1 || /label|class/i.test(file.name) || file.size < 65536)
  )
    return "labels";
  return "model";
}

// What the params call it, which must not be called otherwise; or else what the file is called.
async function suggested({ model, params }) {
  const named = params ? await nameIn(params) : "";
  if (named || !model) return named;
  const stem = model.name.replace(BUNDLE, "").replace(/\.[^.]+$/, "");
  const clean = stem
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 128);
  // A tarball says its name itself, by its folder.
  return BUNDLE.test(model.name) ? "" : clean;
}

async function nameIn(params) {
  if (params.size > MOST_PARAMS_BYTES) return "";
  try {
    const { name } = JSON.parse(await params.text());
    return typeof name === "string" ? name : "";
  } catch {
    return ""; // the server says what is wrong
  }
}

function chosen(parts, draw) {
  const rows = Object.entries(PARTS)
    .filter(([part]) => parts[part])
    .map(([part, label]) => {
      const remove = button(
        "Remove",
        () => {
          delete parts[part];
          draw();
        },
        { class: "small", "aria-label": `Remove ${parts[part].name}` },
      );
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, label),
        h("td", { class: "wraps mono" }, parts[part].name),
        h("td", { class: "number" }, bytes(parts[part].size)),
        h("td", { class: "number" }, remove),
      );
    });
  if (!rows.length) return null;
  return h("table", {}, h("caption", { class: "unseen" }, "What is sent"), h("tbody", {}, rows));
}

/** One upload at a time, with its progress. */
class Sending {
  #controller = null;

  abort() {
    this.#controller?.abort();
  }

  async send(parts, name, told) {
    if (!parts.model) throw new Error("There is no model yet. Drop one above, or choose it.");
    if (name && !NAME.test(name))
      throw new Error(
        "The name has to be letters, digits, dots, dashes and underscores, and begin with a letter or digit.",
      );
    this.#controller = new AbortController();
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Sent" });
    const text = h("span", {}, "Sending …");
    const cancel = button(
      "Cancel",
      () => {
        this.abort();
        fill(told, h("p", { class: "soft" }, "Cancelled. Nothing was stored."));
      },
      { class: "small" },
    );
    reveal(told, h("div", { class: "bar" }, bar, text, cancel));
    const progress = (part) => {
      bar.value = part;
      text.textContent =
        part < 1
          ? `${Math.round(part * 100)} % sent`
          : "Sent. The server loads it, and warms it up …";
    };
    const { path, body, headers } = requestOf(parts, name);
    return upload(path, body, headers, progress, this.#controller.signal);
  }
}

function requestOf(parts, name) {
  const alone = !parts.params && !parts.labels && BUNDLE.test(parts.model.name);
  if (alone)
    return {
      path: name ? `upload?name=${encodeURIComponent(name)}` : "upload",
      body: parts.model,
      headers: { "Content-Type": "application/octet-stream" },
    };
  const form = new FormData();
  if (name) form.append("name", name);
  // The name and the params come first: what is wrong with them is said before the model is sent.
  for (const part of ["params", "labels", "model"])
    if (parts[part]) form.append(part, parts[part], parts[part].name);
  return { path: "upload", body: form, headers: {} };
}
