// Charts of the last minutes: lines or stacked areas, with a cross-hair by mouse or arrow keys.

import { fill, h, s } from "./dom.js";

const HEIGHT = 150,
  LEFT = 52,
  RIGHT = 8,
  TOP = 8,
  BOTTOM = 20,
  SPAN_S = 600;
const COLOURS = 6;
const FEW = 3;

/**
 * `title`; `format(value)`, and `axis(value)` if its marks are to be shorter; `stacked`: areas, one on the other;
 * `logarithmic`: decades; `least`: what the axis reaches at least.
 */
export class Chart {
  #series = [];
  #times = [];
  #at = null;

  constructor({ title, format, axis = format, stacked = false, logarithmic = false, least = 0 }) {
    Object.assign(this, { title, format, axis, stacked, logarithmic, least });
    this.legend = h("ul", { class: "legend" });
    this.picture = s("svg", { role: "img", tabindex: "0", class: "chart", height: HEIGHT });
    this.picture.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.picture.addEventListener("pointerleave", () => this.#show(null));
    this.picture.addEventListener("keydown", (event) => this.#key(event));
    this.picture.addEventListener("blur", () => this.#show(null));
    this.when = h("span", { class: "soft small" });
    this.element = h(
      "section",
      { class: "panel chart-panel" },
      h("div", { class: "bar head" }, h("h2", {}, title), this.when),
      this.legend,
      this.picture,
    );
    this.observer = new ResizeObserver(() => this.#draw());
    this.observer.observe(this.picture);
  }

  /** `times` in seconds, the oldest first; `series`: { name, values } each, as long; null is a gap. */
  show(times, series) {
    this.#times = times;
    this.#series = series;
    this.#draw();
  }

  end() {
    this.observer.disconnect();
  }

  get #end() {
    return this.#times.at(-1) ?? Date.now() / 1000;
  }

  #x(time) {
    return LEFT + ((time - this.#end + SPAN_S) / SPAN_S) * (this.width - LEFT - RIGHT);
  }

  #y(value) {
    const part = this.logarithmic
      ? Math.max(
          0,
          Math.log10(Math.max(value, this.bottom) / this.bottom) /
            Math.log10(this.top / this.bottom),
        )
      : value / this.top;
    return TOP + (1 - part) * (HEIGHT - TOP - BOTTOM);
  }

  #draw() {
    this.width = this.picture.clientWidth || 480;
    const sums = this.stacked ? stacks(this.#series) : this.#series.map(({ values }) => values);
    this.#scale(sums.flat().filter((value) => value !== null));
    const below = (place) => (place ? sums[place - 1] : sums[place].map(() => 0));
    const marks = this.#series.map((_, place) =>
      this.stacked
        ? s("path", {
            class: `area series-${place % COLOURS}`,
            d: this.#area(sums[place], below(place)),
          })
        : this.#lines(sums[place], `series-${place % COLOURS}`),
    );
    this.cross = s("line", { class: "cross", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    fill(this.picture, this.#axes(), marks, this.cross);
    this.#show(this.#at);
    this.picture.setAttribute(
      "aria-label",
      `${this.title}, the last ten minutes. ${this.#said(this.#times.length - 1) || "None"}.`,
    );
  }

  #scale(values) {
    const most = values.reduce((a, b) => Math.max(a, b), this.least);
    if (!this.logarithmic) {
      this.top = nice(most);
      this.marks = [0, this.top / 2, this.top];
      return;
    }
    const fewest = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), most);
    const [low, high] = [Math.floor(Math.log10(fewest)), Math.ceil(Math.log10(most))];
    this.bottom = 10 ** low;
    this.top = 10 ** Math.max(high, low + 1);
    this.marks = Array.from(
      { length: Math.max(high, low + 1) - low + 1 },
      (_, step) => 10 ** (low + step),
    );
  }

  #axes() {
    const rows = this.marks.map((mark) => {
      const y = this.#y(mark);
      return [
        s("line", { class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y }),
        s("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, this.axis(mark)),
      ];
    });
    const columns = [-10, -5, 0].map((minutes) =>
      s(
        "text",
        {
          x: this.#x(this.#end + minutes * 60),
          y: HEIGHT - 4,
          "text-anchor": minutes === 0 ? "end" : minutes === -10 ? "start" : "middle",
        },
        minutes ? `${minutes} min` : "now",
      ),
    );
    return [rows, columns];
  }

  // A few values between gaps are dots: as a line, nobody would see them.
  #lines(values, colour) {
    const at = (place) =>
      `${this.#x(this.#times[place]).toFixed(1)} ${this.#y(values[place]).toFixed(1)}`;
    const lines = [],
      dots = [];
    for (const run of runs(values))
      if (run.length > FEW) lines.push(`M${run.map(at).join("L")}`);
      else dots.push(...run.map((place) => `M${at(place)}h0`));
    return [
      s("path", { class: `line ${colour}`, d: lines.join("") }),
      s("path", { class: `line dots ${colour}`, d: dots.join("") }),
    ];
  }

  #area(values, under) {
    const points = (list) =>
      list.map(
        (value, place) => `${this.#x(this.#times[place]).toFixed(1)} ${this.#y(value).toFixed(1)}`,
      );
    return values.length ? `M${[...points(values), ...points(under).reverse()].join("L")}Z` : "";
  }

  #point(x) {
    if (!this.#times.length) return;
    const distances = this.#times.map((time) => Math.abs(this.#x(time) - x));
    this.#show(distances.indexOf(Math.min(...distances)));
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const last = this.#times.length - 1;
    if (!step || last < 0) return;
    event.preventDefault();
    this.#show(Math.min(last, Math.max(0, (this.#at ?? last + 1) + step)));
  }

  // Of one moment, or of the last one.
  #show(at) {
    this.#at = at !== null && at < this.#times.length ? at : null;
    const last = this.#times.length - 1,
      place = this.#at ?? last;
    this.cross.setAttribute("visibility", this.#at === null ? "hidden" : "visible");
    if (this.#at !== null) {
      const x = this.#x(this.#times[place]);
      this.cross.setAttribute("x1", x);
      this.cross.setAttribute("x2", x);
    }
    this.when.textContent =
      this.#at === null ? "" : `${Math.round(this.#end - this.#times[place])} s ago`;
    const nothing = h("li", { class: "nothing" }, "none");
    fill(
      this.legend,
      this.#series.length ? [] : nothing,
      this.#series.map(({ name, values }, each) =>
        h(
          "li",
          { class: `series-${each % COLOURS}` },
          `${name} `,
          h("strong", {}, said(values[place], this.format)),
        ),
      ),
    );
  }

  #said(place) {
    return this.#series
      .map(({ name, values }) => `${name} ${said(values[place], this.format)}`)
      .join(", ");
  }
}

function said(value, format) {
  return value === null || value === undefined ? "–" : format(value);
}

// The places of values that follow each other, without a gap.
function runs(values) {
  const found = [];
  values.forEach((value, place) => {
    if (value === null) return;
    if (found.at(-1)?.at(-1) === place - 1) found.at(-1).push(place);
    else found.push([place]);
  });
  return found;
}

function stacks(series) {
  let below = null;
  return series.map(({ values }) => {
    below = values.map((value, place) => (value ?? 0) + (below?.[place] ?? 0));
    return below;
  });
}

// A number whose half is short, too, no less than `value`.
function nice(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= value * 0.999) * power;
}
