// The panel that asks a model: a form, the answer, and the same request as code.

import { address, ask, modelPath } from "./api.js";
import { answerShown } from "./answer.js";
import { button, field, fill, h, note, reveal, trouble } from "./dom.js";
import { formsFor } from "./forms.js";
import { cpp, curl, python } from "./snippets.js";
import { server } from "./server.js";
import { tabs } from "./tabs.js";
import { token } from "./token.js";

const LANGUAGES = [
  ["curl", curl],
  ["Python", python],
  ["C++", cpp],
];
const MOST_CODE = 20000;

/**
 * `model`: { record, versions, classLabels, examples }. Gives the `element`, and `of(model)`, which takes what else is
 * known of the versions by now, and leaves the form as it is.
 */
export function predictPanel(model) {
  const { record } = model;
  const signatures = record.signatures ? Object.keys(record.signatures) : [];
  const version = h("select");
  const of = ({ record: { version: live }, versions }) => {
    const chosen = version.value;
    fill(version, h("option", { value: "" }, `live (${live})`), versionChoices(versions));
    if ([...version.options].some(({ value }) => value === chosen)) version.value = chosen;
  };
  const signature = h(
    "select",
    {},
    signatures.map((name) => h("option", {}, name)),
  );
  const asked = h("div");
  const answer = h("div", { "aria-live": "polite", class: "answer-place" });
  const code = codePanel(() => current.request());
  let current;

  const build = () => {
    const name = signatures.length > 1 ? signature.value : "";
    current = new Asked(
      model,
      name,
      () => version.value,
      (options) => {
        code.refresh();
        if (options?.send) send();
      },
    );
    fill(asked, current.element);
    code.refresh();
  };
  const send = async () => {
    try {
      reveal(answer, answerShown(await current.answered(), model.classLabels));
      server.refresh();
    } catch (error) {
      reveal(answer, trouble(error, adviceOf(error)));
    }
  };
  version.addEventListener("change", () => code.refresh());
  signature.addEventListener("change", build);
  of(model);
  build();
  const choices = h(
    "div",
    { class: "bar" },
    field("Version", version),
    signatures.length > 1 ? field("Signature", signature) : null,
  );
  const element = h(
    "section",
    { class: "panel stack", "aria-labelledby": "predict" },
    h("div", { class: "bar head" }, h("h2", { id: "predict" }, "Predict"), choices),
    asked,
    h("div", {}, button("Predict", send, { class: "primary" })),
    answer,
    code.element,
  );
  return {
    element,
    of: (changed) => {
      of(changed);
      code.refresh();
    },
  };
}

function versionChoices(versions) {
  const labels = versions.flatMap((each) =>
    each.versionLabels.map((label) => [label, each.version]),
  );
  return [
    ...labels.map(([label, number]) =>
      h("option", { value: `labels/${label}` }, `${label} (${number})`),
    ),
    ...versions
      .toReversed()
      .map((each) => h("option", { value: `versions/${each.version}` }, String(each.version))),
  ];
}

function adviceOf({ status, code }) {
  if (status === 503) return "The model may be on its way: try again in a moment.";
  if (code === "not_found")
    return "Predictions have a port of their own here: send the lines below there.";
  return "";
}

/** What is asked: one of the forms that suit a signature. */
class Asked {
  #place = 0;

  constructor(model, signatureName, versionPart, changed) {
    const { record, examples } = model;
    Object.assign(this, { record, signatureName, versionPart });
    const signature = signatureName ? record.signatures[signatureName].signature : record.signature;
    this.forms = formsFor(signature, record, examples, (options) => changed(options));
    this.element = tabs("How to send it", this.forms, (place) => {
      this.#place = place;
      if (this.element) changed();
    });
  }

  /** { url, type, body or file }; throws Error with a sentence. */
  request() {
    const form = this.forms[this.#place];
    const made = form.made();
    const path = [modelPath(this.record.name), this.versionPart(), "predict", form.codec]
      .filter(Boolean)
      .join("/");
    if (made.file)
      return { url: address(path), type: made.file.type || "image/png", file: made.file };
    const body = this.signatureName
      ? made.body.replace("{", () => `{"signature_name": ${JSON.stringify(this.signatureName)}, `)
      : made.body;
    return { url: address(path), type: "application/json", body };
  }

  async answered() {
    const { url, type, body, file } = this.request();
    const began = performance.now();
    const response = await ask(
      "POST",
      url,
      file ? { body: pictureBody(file) } : { body, headers: { "Content-Type": type } },
    );
    const text = await response.text();
    const seconds = (performance.now() - began) / 1000;
    return {
      text,
      document: parsed(text),
      seconds,
      model: response.headers.get("TFaaS-Model") ?? this.record.name,
    };
  }
}

// Whole numbers that JavaScript would round stay as they are written.
function parsed(text) {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, { source }) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) ? source : value,
  );
}

function pictureBody(file) {
  const form = new FormData();
  form.append("image", file, file.name);
  return form;
}

function codePanel(request) {
  const texts = LANGUAGES.map(([name]) =>
    h("pre", { class: "scrolls code", tabindex: "0", "aria-label": `The request by ${name}` }),
  );
  let place = 0,
    full = "",
    due = 0;
  const copy = button(
    "Copy",
    async () => {
      draw();
      await navigator.clipboard.writeText(full);
      note("Copied.");
    },
    { class: "small" },
  );
  const draw = () => {
    try {
      full = LANGUAGES[place][1](request(), Boolean(token.value));
      texts[place].textContent =
        full.length > MOST_CODE && navigator.clipboard
          ? `${full.slice(0, MOST_CODE)} … (copied as a whole)`
          : full;
    } catch {
      full = "";
      texts[place].textContent = "Once the form is filled.";
    }
    copy.hidden = !navigator.clipboard || !full;
  };
  const refresh = () => {
    clearTimeout(due);
    due = setTimeout(draw, 80);
  };
  const choices = LANGUAGES.map(([name], at) => ({ label: name, element: texts[at] }));
  const element = h(
    "details",
    { class: "as-code", open: true },
    h("summary", {}, "As code"),
    h(
      "div",
      { class: "code-place" },
      tabs("As code", choices, (chosen) => {
        place = chosen;
        refresh();
      }),
      copy,
    ),
  );
  return { element, refresh };
}
