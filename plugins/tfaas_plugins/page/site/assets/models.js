// All models: how they are, in a table to filter and sort.

import { h, fill } from "./dom.js";
import { ago, bytes, count, duration, shape, significant } from "./format.js";
import { nameOf, server } from "./server.js";
import { Table } from "./table.js";

const STATES = ["ready", "loading", "leaving", "not loaded", "unavailable"];

/** The state of a model's live version, which is that of the process that is furthest, and why. */
export function stateOf(record, loaded, unavailable = {}) {
  const found = loaded.get(`${record.name}/${record.version}`);
  if (found) {
    const states = found.map(({ state }) => state);
    const why = `${found.length > 1 ? "processes" : "process"} ${pidsOf(found)}`;
    return { state: STATES.find((each) => states.includes(each)), why };
  }
  const why = unavailable[record.runtime];
  return why
    ? { state: "unavailable", why }
    : { state: "not loaded", why: "Its next request loads it." };
}

/** The numbers of a version's processes, as text. */
export function pidsOf(processes) {
  return processes.map(({ pid }) => pid ?? "–").join(", ");
}

export function stateTag({ state, why }) {
  return h("span", { class: `state ${state.replace(" ", "-")}`, title: why }, state);
}

function tensors(list) {
  return list.map(({ name, dtype, shape: sizes }) => `${name} ${shape(sizes)} ${dtype}`).join(", ");
}

// What is cut off for want of room is told when one points at it.
function titled(_row, text) {
  return h("span", { title: text }, text);
}

const COLUMNS = [
  {
    key: "name",
    label: "Model",
    text: ({ record }) => record.name,
    class: "name",
    node: ({ record }) =>
      h(
        "a",
        { href: `#/models/${encodeURIComponent(record.name)}`, title: record.description || null },
        record.name,
      ),
  },
  {
    key: "state",
    label: "State",
    text: (row) => row.state.state,
    value: (row) => STATES.indexOf(row.state.state),
    node: (row) => stateTag(row.state),
  },
  {
    key: "version",
    spare: true,
    label: "Version",
    number: true,
    text: ({ record }) => String(record.version),
    value: ({ record }) => record.version,
  },
  { key: "runtime", label: "Runtime", spare: true, text: ({ record }) => record.runtime },
  {
    key: "inputs",
    spare: true,
    label: "Inputs",
    class: "tensors",
    text: ({ record }) => tensors(record.signature.inputs),
    node: titled,
  },
  {
    key: "outputs",
    spare: true,
    label: "Outputs",
    class: "tensors",
    text: ({ record }) => tensors(record.signature.outputs),
    node: titled,
  },
  {
    key: "size",
    spare: true,
    label: "Size",
    number: true,
    text: ({ record }) => bytes(record.size),
    value: ({ record }) => record.size,
  },
  {
    key: "rate",
    label: "Requests/s",
    number: true,
    hint: "Answers in a second, over the last minute",
    text: (row) => significant(row.figures?.requests_per_s),
    value: (row) => row.figures?.requests_per_s,
  },
  {
    key: "p50",
    spare: true,
    label: "p50",
    number: true,
    hint: "Half of the answers of the last minute took no longer",
    text: (row) => duration(row.figures?.p50_s),
    value: (row) => row.figures?.p50_s,
  },
  {
    key: "p99",
    label: "p99",
    number: true,
    hint: "99 of 100 answers of the last minute took no longer",
    text: (row) => duration(row.figures?.p99_s),
    value: (row) => row.figures?.p99_s,
  },
  {
    key: "errors",
    label: "Errors",
    number: true,
    hint: "Since the server started",
    text: (row) => significant(row.figures?.errors),
    value: (row) => row.figures?.errors,
  },
  {
    key: "memory",
    label: "Memory",
    number: true,
    hint: "What would come back if its processes went",
    text: (row) => bytes(row.memory),
    value: (row) => row.memory,
  },
  {
    key: "used",
    label: "Last used",
    number: true,
    text: (row) => ago(row.idle),
    value: (row) => row.idle,
  },
];

/** The view; gives its element, and what ends it. */
export function modelsView() {
  const table = new Table({
    caption: "Models",
    columns: COLUMNS,
    keyOf: ({ record }) => record.name,
    sorted: { key: "name", down: false },
  });
  table.element.classList.add("sheet");
  const filter = h("input", {
    type: "search",
    placeholder: "Filter by name, text, runtime",
    "aria-label": "Filter the models",
  });
  const state = h(
    "select",
    { "aria-label": "Only models that are" },
    h("option", { value: "" }, "any state"),
    STATES.map((each) => h("option", {}, each)),
  );
  const told = h("p", { class: "soft small", role: "status" });
  const place = h("div");
  const draw = () => {
    if (server.models === null)
      return fill(
        place,
        h("p", { class: "empty" }, server.error ? server.error.message : "Asking the server …"),
      );
    if (!server.models.length) return fill(place, nothing());
    if (table.element.parentNode !== place) fill(place, table.element);
    const rows = rowsOf(server);
    const found = rows.filter(
      (row) => matches(row, filter.value) && (!state.value || row.state.state === state.value),
    );
    const all = count(rows.length, "model", "models");
    const text =
      found.length === rows.length ? all : `${found.length.toLocaleString("en")} of ${all}`;
    // A screen reader says it anew whenever it is set.
    if (told.textContent !== text) told.textContent = text;
    table.rows = found;
    return null;
  };
  filter.addEventListener("input", draw);
  state.addEventListener("change", draw);
  server.addEventListener("change", draw);
  const resized = () => table.resized();
  addEventListener("resize", resized);
  const element = h(
    "div",
    {},
    h(
      "div",
      { class: "bar" },
      h("h1", {}, "Models"),
      filter,
      state,
      told,
      h("a", { class: "button push", href: "#/upload" }, "Upload a model"),
    ),
    place,
  );
  draw();
  return {
    element,
    title: "Models",
    drawn: resized,
    end: () => {
      server.removeEventListener("change", draw);
      removeEventListener("resize", resized);
    },
  };
}

function nothing() {
  return h(
    "div",
    { class: "panel empty" },
    h("h2", {}, "No models yet"),
    h("p", {}, "A model is a frozen TensorFlow graph (.pb), or a SavedModel in a tarball."),
    h(
      "p",
      {},
      h("a", { href: "#/upload" }, "Upload the first one"),
      ", and it answers requests at once.",
    ),
  );
}

function rowsOf({ models, status, loaded }) {
  const used = usage(status?.models ?? []);
  return models.map((record) => {
    const figures = status?.figures?.[record.name];
    const { memory, idle } = used.get(record.name) ?? {};
    return {
      record,
      figures,
      memory,
      idle: figures?.last_used_s ?? idle,
      state: stateOf(record, loaded, status?.unavailable),
    };
  });
}

// Of all loaded versions of a model: their memory, and since when the last of them is idle.
function usage(servables) {
  const found = new Map();
  for (const { model, private_bytes: memory, idle_s: idle } of servables) {
    const name = nameOf(model);
    const before = found.get(name);
    found.set(name, {
      memory: (before?.memory ?? 0) + (memory ?? 0),
      idle: Math.min(before?.idle ?? Infinity, idle ?? Infinity),
    });
  }
  for (const each of found.values()) if (each.idle === Infinity) each.idle = null;
  return found;
}

function matches({ record }, words) {
  const text = [record.name, record.description, record.runtime, record.owner]
    .join(" ")
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
