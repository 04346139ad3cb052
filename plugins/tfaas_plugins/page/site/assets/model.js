// One model: how it is, its versions, what it takes and gives, and a form that asks it.

import { ask, json, modelPath } from "./api.js";
import { confirm } from "./dialogs.js";
import { button, fill, focusKept, h, note, trouble } from "./dom.js";
import { ago, bytes, duration, significant } from "./format.js";
import { pidsOf, stateOf, stateTag } from "./models.js";
import { detailsPanel, examplesPanel, labelsPanel, signaturePanel } from "./panels.js";
import { predictPanel } from "./predict.js";
import { server } from "./server.js";
import { versionsPanel } from "./versions.js";

const HAS_GRAPH = ["graph", "saved_model"];

let viewer = null;

/** Whether the viewer of graphs is there; asked once. */
function hasViewer() {
  viewer ??= ask("HEAD", "netron/").then(
    () => true,
    () => false,
  );
  return viewer;
}

/** The view of the model `name`; gives its element, and what ends it. */
export function modelView(name) {
  const element = h(
    "div",
    { class: "stack" },
    h("h1", {}, name),
    h("p", { class: "soft" }, "Asking the server …"),
  );
  const state = { model: null, page: null, ended: false };
  const tell = () => {
    if (state.model) state.page.tell(state.model.record);
  };
  const load = async () => {
    try {
      const model = await known(name);
      if (state.ended) return;
      if (!state.model) {
        state.page = new Page(reload);
        fill(element, state.page.parts);
      }
      state.page.show(model);
      state.model = model;
      tell();
    } catch (error) {
      if (state.ended) return;
      // What is there stays, unless the model is gone.
      if (state.model && error.status !== 404) {
        note(error.message);
        return;
      }
      state.model = null;
      fill(
        element,
        h("h1", {}, name),
        trouble(error),
        h("p", {}, h("a", { href: "#/" }, "All models")),
      );
    }
  };
  const reload = async () => {
    await Promise.all([load(), server.refresh()]);
  };
  const changed = () => {
    tell();
    const live = server.models?.find((each) => each.name === name);
    // Somebody else has uploaded or rolled back; a form that is being filled stays as it is.
    if (
      live &&
      state.model &&
      live.version !== state.model.record.version &&
      !element.contains(document.activeElement)
    )
      load();
  };
  server.addEventListener("change", changed);
  load();
  return {
    element,
    title: name,
    end: () => {
      state.ended = true;
      server.removeEventListener("change", changed);
    },
  };
}

async function known(name) {
  const [record, versions] = await Promise.all([
    json("GET", modelPath(name)),
    json("GET", modelPath(name, "versions")),
  ]);
  const number = String(record.version);
  const [classLabels, examples, graph] = await Promise.all([
    json("GET", modelPath(name, "versions", number, "class_labels")),
    json("GET", modelPath(name, "versions", number, "examples")),
    HAS_GRAPH.includes(record.runtime) && hasViewer(),
  ]);
  return { record, versions, classLabels, examples, graph };
}

// What each version has of its own, and the form does not show.
const OF_VERSION = new Set([
  "version",
  "timestamp",
  "size",
  "checksum",
  "model",
  "description",
  "batch",
  "warnings",
]);

// What a form is made of: as long as it is the same, what somebody has filled in stays.
function formOf({ record, classLabels, examples }) {
  const params = Object.entries(record).filter(([key]) => !OF_VERSION.has(key));
  return JSON.stringify([params, classLabels, examples]);
}

/** All that is shown of a model. */
class Page {
  #form = "";
  #predict = null;

  /** `reload()` is called after each change. */
  constructor(reload) {
    this.reload = reload;
    this.head = h("div", { class: "stack" });
    this.facts = h("dl", { class: "facts" });
    this.asking = h("div");
    this.known = h("div", { class: "stack" });
    this.parts = [this.head, this.facts, h("div", { class: "columns" }, this.asking, this.known)];
  }

  show(model) {
    const { record, versions } = model;
    const giveBack = focusKept();
    fill(this.head, headOf(model));
    if (this.#form === formOf(model)) this.#predict.of(model);
    else {
      this.#form = formOf(model);
      this.#predict = predictPanel(model);
      fill(this.asking, this.#predict.element);
    }
    fill(
      this.known,
      versionsPanel(record.name, versions, this.reload),
      signaturePanel(record),
      detailsPanel(record),
      labelsPanel(model.classLabels),
      examplesPanel(model.examples),
    );
    giveBack();
  }

  tell(record) {
    fill(this.facts, factsOf(record));
  }
}

function headOf({ record, versions, graph }) {
  const remove = button(
    "Delete",
    () =>
      confirm({
        title: `Delete ${record.name}?`,
        text: `${versions.length === 1 ? "Its only version goes" : `All its ${versions.length} versions go`}, and cannot be brought back. Requests for it will fail.`,
        verb: "Delete",
        typed: record.name,
        danger: true,
        action: async () => {
          await ask("DELETE", `delete/${encodeURIComponent(record.name)}`);
          note(`${record.name} is deleted.`);
          await server.refresh();
          location.hash = "#/";
        },
      }),
    { class: "danger" },
  );
  return [
    h(
      "div",
      { class: "bar head" },
      h("h1", {}, record.name),
      h("span", { class: "tag live" }, `version ${record.version} is live`),
      h(
        "div",
        { class: "bar push" },
        graph
          ? h(
              "a",
              { class: "button", href: `netron/?model=${encodeURIComponent(record.name)}` },
              "Graph",
            )
          : null,
        remove,
      ),
    ),
    record.description ? h("p", { class: "description" }, record.description) : null,
    (record.warnings ?? []).map((warning) => h("p", { class: "trouble" }, warning)),
  ];
}

function factsOf(record) {
  const { status, loaded } = server;
  const processes = loaded.get(`${record.name}/${record.version}`) ?? [],
    figures = status?.figures?.[record.name];
  const memory = processes.reduce((sum, each) => sum + (each.private_bytes ?? 0), 0);
  const idle = processes.map((each) => each.idle_s).filter((each) => each !== null);
  return [
    ["State", stateTag(stateOf(record, loaded, status?.unavailable))],
    ["Requests/s", significant(figures?.requests_per_s)],
    ["p50", duration(figures?.p50_s)],
    ["p99", duration(figures?.p99_s)],
    ["Errors", significant(figures?.errors)],
    ["Memory", bytes(memory || null)],
    ["Last used", ago(figures?.last_used_s ?? (idle.length ? Math.min(...idle) : null))],
    [processes.length > 1 ? "Processes" : "Process", pidsOf(processes) || "–"],
  ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}
