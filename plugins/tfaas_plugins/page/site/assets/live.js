// How the server is doing: the last ten minutes, its processes, and the models that are loaded.

import { json } from "./api.js";
import { Chart } from "./chart.js";
import { fill, h, trouble } from "./dom.js";
import { ago, bytes, duration, significant } from "./format.js";
import { stateTag } from "./models.js";
import { nameOf, server } from "./server.js";
import { Table } from "./table.js";

const MOST_SERIES = 6;
const KINDS = {
  parent: ["parent", "parent"],
  http_worker: ["HTTP worker", "HTTP workers"],
  fork_server: ["fork server", "fork servers"],
  worker_server: ["worker server", "worker servers"],
  decoder_server: ["decoder", "decoders"],
};

// What each chart shows of GET /status/history.
const CHARTS = [
  [
    {
      title: "Throughput, per second",
      format: (value) => `${significant(value)}/s`,
      axis: significant,
      least: 1,
    },
    (past) => [
      { name: "requests", values: past.requests_per_s },
      { name: "predictions", values: past.predictions_per_s },
    ],
  ],
  [
    { title: "Latency", format: duration, logarithmic: true, least: 0.001 },
    (past) => named(past.latency_s),
  ],
  [
    { title: "Rows in a run", format: significant, least: 1 },
    (past) => [{ name: "mean", values: past.batch_rows }],
  ],
  [
    {
      title: "Queue, in rows",
      format: (value) => `${significant(value)} rows`,
      axis: significant,
      least: 1,
    },
    (past) => [{ name: "waiting or in a run", values: past.queue_rows }],
  ],
  [
    {
      title: "Errors, per second",
      format: (value) => `${significant(value)}/s`,
      axis: significant,
      least: 1,
    },
    (past) => named(past.errors_per_s),
  ],
  [{ title: "Memory", format: bytes, stacked: true }, (past) => largest(past.memory_bytes)],
];

/** The view; gives its element, and what ends it. */
export function liveView() {
  const charts = CHARTS.map(([options]) => new Chart(options));
  const told = h("div"),
    tables = new Tables();
  const grid = h(
    "div",
    { class: "charts" },
    charts.map((chart) => chart.element),
  );
  let ended = false;
  const draw = async () => {
    const { status } = server;
    if (!status) return;
    tables.show(status);
    grid.hidden = !status.last_minute;
    if (grid.hidden)
      return fill(
        told,
        h(
          "p",
          { class: "panel soft" },
          "This server keeps no history: its plugin for metrics is off.",
        ),
      );
    try {
      const past = await json("GET", "status/history");
      if (!ended) charts.forEach((chart, place) => chart.show(past.time_s, CHARTS[place][1](past)));
      fill(told);
    } catch (error) {
      fill(told, trouble(error));
    }
    return null;
  };
  server.addEventListener("change", draw);
  draw();
  const element = h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "bar head" },
      h("h1", {}, "Live"),
      h("p", { class: "soft small" }, "The last ten minutes, of all HTTP workers"),
    ),
    told,
    grid,
    tables.element,
  );
  return {
    element,
    title: "Live",
    end: () => {
      ended = true;
      server.removeEventListener("change", draw);
      charts.forEach((chart) => chart.end());
    },
  };
}

function named(series) {
  return Object.entries(series)
    .slice(0, MOST_SERIES)
    .map(([name, values]) => ({ name, values }));
}

// The processes that take most now, and the rest as one.
function largest(memory) {
  const found = Object.entries(memory).map(([name, values]) => ({
    name: KINDS[name]?.[1] ?? name,
    values,
  }));
  found.sort((a, b) => (b.values.at(-1) ?? 0) - (a.values.at(-1) ?? 0));
  if (found.length <= MOST_SERIES) return found;
  const rest = found.splice(MOST_SERIES - 1);
  return [
    ...found,
    {
      name: `${rest.length} others`,
      values: rest[0].values.map((_, place) =>
        rest.reduce((sum, { values }) => sum + (values[place] ?? 0), 0),
      ),
    },
  ];
}

const MODELS = [
  {
    key: "model",
    label: "Model",
    text: (each) => each.model,
    node: (each) =>
      h("a", { href: `#/models/${encodeURIComponent(nameOf(each.model))}` }, each.model),
  },
  {
    key: "state",
    label: "State",
    text: (each) => each.state,
    node: (each) => stateTag({ state: each.state, why: null }),
  },
  {
    key: "pid",
    label: "Process",
    number: true,
    spare: true,
    text: (each) => String(each.pid ?? "–"),
    value: (each) => each.pid,
  },
  {
    key: "rows",
    label: "Rows in flight",
    number: true,
    spare: true,
    text: (each) => String(each.rows_in_flight),
    value: (each) => each.rows_in_flight,
  },
  {
    key: "memory",
    label: "Memory",
    number: true,
    text: (each) => bytes(each.private_bytes),
    value: (each) => each.private_bytes,
  },
  {
    key: "idle",
    label: "Last used",
    number: true,
    text: (each) => ago(each.idle_s),
    value: (each) => each.idle_s,
  },
];
const PROCESSES = [
  { key: "kind", label: "Kind", text: (each) => KINDS[each.kind]?.[0] ?? each.kind },
  {
    key: "pid",
    label: "Process",
    number: true,
    text: (each) => String(each.pid),
    value: (each) => each.pid,
  },
  {
    key: "memory",
    label: "Memory",
    number: true,
    text: (each) => bytes(each.private_bytes),
    value: (each) => each.private_bytes,
  },
];

/** The processes now, and the models that they hold. */
class Tables {
  constructor() {
    this.models = new Table({
      caption: "Loaded models",
      columns: MODELS,
      keyOf: (each) => `${each.model} ${each.pid}`,
      sorted: { key: "model", down: false },
    });
    this.processes = new Table({
      caption: "Processes",
      columns: PROCESSES,
      keyOf: (each) => `${each.kind} ${each.pid}`,
      sorted: { key: "kind", down: false },
    });
    this.troubles = h("div", { class: "stack" });
    this.nothing = h(
      "p",
      { class: "soft" },
      "None is loaded. The first request for a model loads it.",
    );
    const panel = (title, ...content) =>
      h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), content);
    this.element = h(
      "div",
      { class: "stack" },
      this.troubles,
      h(
        "div",
        { class: "columns even" },
        panel("Loaded models", this.models.element, this.nothing),
        panel("Processes", this.processes.element),
      ),
    );
  }

  show({ processes, models, unavailable, hosts = [] }) {
    const whys = Object.entries(unavailable).map(
      ([runtime, why]) => `Models of ${runtime} cannot be started: ${why}`,
    );
    whys.push(...hosts.flatMap(({ why }) => why || []));
    fill(
      this.troubles,
      whys.map((why) => h("p", { class: "trouble" }, why)),
    );
    this.models.element.hidden = !models.length;
    this.nothing.hidden = models.length > 0;
    this.models.rows = models;
    this.processes.rows = processes;
  }
}
