// What is known of the server: asked again and again while somebody looks, and told to the views.

import { json, UNREACHABLE } from "./api.js";

const STATUS_MS = 2000;
const MODELS_MS = 10000;
const MODELS_SHARE = 50;

class Server extends EventTarget {
  models = null;
  status = null;
  error = null;
  stopping = "";
  #modelsAt = -Infinity;
  #modelsMs = MODELS_MS;
  #timer = 0;
  #busy = null;

  /** Begins, and asks at once. */
  start() {
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
    this.refresh();
  }

  /** Asks anew for all, the models too; fulfilled when the views have been told. */
  async refresh() {
    this.#modelsAt = -Infinity;
    await this.#busy;
    await this.#turn();
  }

  /** The processes of each loaded version, by its name, like "digits/1". */
  get loaded() {
    return Map.groupBy(this.status?.models ?? [], (each) => each.model);
  }

  #turn() {
    clearTimeout(this.#timer);
    this.#busy ??= this.#look().finally(() => {
      this.#busy = null;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        if (!document.hidden) this.#turn();
      }, STATUS_MS);
      this.dispatchEvent(new Event("change"));
    });
    return this.#busy;
  }

  async #look() {
    try {
      const wantsModels = performance.now() - this.#modelsAt > this.#modelsMs;
      const [status, models] = await Promise.all([
        json("GET", "status"),
        wantsModels ? this.#listed() : this.models,
        this.#lookReady(),
      ]);
      const lost = this.#lost(status);
      Object.assign(this, { status, models, error: null });
      if (lost.length) await this.#tellLost(lost);
    } catch (error) {
      this.error = error;
    }
  }

  // A long list is asked for less often.
  async #listed() {
    const began = performance.now();
    const models = await json("GET", "models");
    this.#modelsAt = performance.now();
    this.#modelsMs = Math.max(MODELS_MS, MODELS_SHARE * (this.#modelsAt - began));
    if (this.models === null) {
      // They are shown before it is known how they do.
      this.models = models;
      this.dispatchEvent(new Event("change"));
    }
    return models;
  }

  async #lookReady() {
    try {
      await json("GET", "health/ready");
      this.stopping = "";
    } catch (error) {
      if (error.message === UNREACHABLE) throw error;
      this.stopping = error.document?.reason ?? "";
    }
  }

  // The processes of loaded versions that were ready, and are no longer there.
  #lost(status) {
    const now = Map.groupBy(status.models, (each) => each.model),
      before = this.loaded;
    const switched = new Set([...now.keys()].filter((model) => !before.has(model)).map(nameOf));
    return [...before.values()]
      .flat()
      .map((each) => ({ ...each, others: (now.get(each.model) ?? []).map(({ pid }) => pid) }))
      .filter(
        (each) =>
          each.state === "ready" &&
          !each.others.includes(each.pid) &&
          // A version that makes way for another one is not lost.
          !switched.has(nameOf(each.model)),
      );
  }

  // Nor is one that was deleted, or is live no more: what is stored is asked anew.
  async #tellLost(lost) {
    this.models = await this.#listed();
    const live = new Set(this.models.map((each) => `${each.name}/${each.version}`));
    for (const each of lost)
      if (live.has(each.model)) this.dispatchEvent(new CustomEvent("lost", { detail: each }));
  }
}

/** "digits" of "digits/1". */
export function nameOf(version) {
  return version.slice(0, version.lastIndexOf("/"));
}

export const server = new Server();
