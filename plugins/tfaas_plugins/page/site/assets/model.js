// One model: how it is, its versions, what it takes and gives, and a form that asks it.

import { ask, json, modelPath } from "./api.js";
import { confirm } from "./dialogs.js";
import { button, fill, h, note, trouble } from "./dom.js";
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
  const facts = h("dl", { class: "facts" });
  const state = { model: null, ended: false };
  const tell = () => {
    if (state.model) fill(facts, factsOf(state.model.record));
  };
  const load = async () => {
    try {
      const model = await known(name);
      if (state.ended) return;
      state.model = model;
      fill(element, page(model, facts, reload));
      tell();
    } catch (error) {
      if (!state.ended)
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

function page(model, facts, reload) {
  const { record, versions, graph } = model;
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
    facts,
    h(
      "div",
      { class: "columns" },
      predictPanel(model),
      h(
        "div",
        { class: "stack" },
        versionsPanel(record.name, versions, reload),
        signaturePanel(record),
        detailsPanel(record),
        labelsPanel(model.classLabels),
        examplesPanel(model.examples),
      ),
    ),
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
