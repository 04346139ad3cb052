// A table that stays quick with thousands of rows: only those in sight are in the page.

import { h, fill } from "./dom.js";

// A collator that is made for each comparison takes most of a sort.
const BY_NAME = new Intl.Collator("en", { numeric: true });
const ROW_PX = 32;
const WHOLE = 150;
const MARGIN = 15;

/**
 * `columns`: { key, label, text(row), value?(row) to sort by, node?(row, text) instead of the text, number?, class?, spare? };
 * `keyOf(row)` tells rows apart. Sorted by `sorted.key`, descending if `sorted.down`.
 */
export class Table {
  #rows = [];
  #shown = new Map();
  #body = h("tbody");
  #rowPx = ROW_PX;

  constructor({ caption, columns, keyOf, sorted }) {
    Object.assign(this, { columns, keyOf, sorted });

    this.heads = columns.map((column) => this.#head(column));
    this.table = h(
      "table",
      { class: "rows" },
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, this.heads)),
      this.#body,
    );
    this.element = h(
      "div",
      {
        class: "scrolls",
        tabindex: "0",
        role: "region",
        "aria-label": `Table of ${caption.toLowerCase()}`,
      },
      this.table,
    );
    this.element.addEventListener("scroll", () => this.#draw(), { passive: true });
    this.#markSorted();
  }

  set rows(rows) {
    this.#rows = rows;
    this.#sort();
    this.#draw();
  }

  /** Draws again, when it has got its size. */
  resized() {
    this.#draw();
  }

  #head(column) {
    const sort = h(
      "button",
      { type: "button", class: "sort", on: { click: () => this.#sortBy(column.key) } },
      column.label,
    );
    return h(
      "th",
      { scope: "col", class: classOf(column, column.number && "number"), title: column.hint },
      sort,
    );
  }

  #sortBy(key) {
    const column = this.columns.find((each) => each.key === key);
    const down = this.sorted.key === key ? !this.sorted.down : Boolean(column.number);
    this.sorted = { key, down };
    this.#markSorted();
    this.rows = this.#rows;
  }

  #markSorted() {
    this.columns.forEach((column, place) => {
      const isSorted = column.key === this.sorted.key;
      const order = this.sorted.down ? "descending" : "ascending";
      if (isSorted) this.heads[place].setAttribute("aria-sort", order);
      else this.heads[place].removeAttribute("aria-sort");
    });
  }

  #sort() {
    const column = this.columns.find((each) => each.key === this.sorted.key);
    const value = column.value ?? column.text;
    const sign = this.sorted.down ? -1 : 1;
    const keyed = this.#rows.map((row) => [value(row), row]);
    keyed.sort(
      ([a, rowA], [b, rowB]) =>
        compare(a, b, sign) || compare(this.keyOf(rowA), this.keyOf(rowB), 1),
    );
    this.#rows = keyed.map(([, row]) => row);
  }

  #draw() {
    const count = this.#rows.length;
    const [from, to] = count <= WHOLE ? [0, count] : this.#window(count);
    const kept = new Map();
    const drawn = this.#rows.slice(from, to).map((row, place) => {
      const key = this.keyOf(row);
      const entry = this.#shown.get(key) ?? this.#made();
      kept.set(key, entry);
      this.#update(entry, row, from + place);
      return entry.element;
    });
    this.#shown = kept;
    this.table.setAttribute("aria-rowcount", count + 1);
    const all = [this.#spacer(from), ...drawn, this.#spacer(count - to)].filter(Boolean);
    // A row that stays where it is keeps the focus that it may have.
    const present = [...this.#body.children];
    if (all.length !== present.length || all.some((each, place) => each !== present[place]))
      fill(this.#body, all);
    this.#rowPx = drawn[0]?.offsetHeight || ROW_PX;
  }

  #window(count) {
    const first = Math.floor(this.element.scrollTop / this.#rowPx);
    const inSight = Math.ceil((this.element.clientHeight || innerHeight) / this.#rowPx);
    return [Math.max(0, first - MARGIN), Math.min(count, first + inSight + MARGIN)];
  }

  #spacer(rows) {
    if (!rows) return null;
    const cell = h("td", { colspan: this.columns.length });
    cell.style.height = `${rows * this.#rowPx}px`;
    return h("tr", { "aria-hidden": "true", class: "spacer" }, cell);
  }

  #made() {
    const cells = this.columns.map((column) =>
      h("td", { class: classOf(column, column.number ? "number" : column.class) }),
    );
    return { element: h("tr", {}, cells), cells, texts: [] };
  }

  #update({ element, cells, texts }, row, place) {
    element.setAttribute("aria-rowindex", place + 2);
    this.columns.forEach((column, at) => {
      const text = column.text(row);
      if (texts[at] === text) return;
      texts[at] = text;
      fill(cells[at], column.node ? column.node(row, text) : text);
    });
  }
}

// A spare column is left out on a phone.
function classOf({ spare }, own) {
  return [own, spare && "spare"].filter(Boolean).join(" ") || null;
}

// What is not known comes last, whichever way it is sorted.
function compare(a, b, sign) {
  const missing = (a === null || a === undefined) - (b === null || b === undefined);
  if (missing || a === null || a === undefined) return missing;
  return sign * (typeof a === "string" ? BY_NAME.compare(a, b) : a - b);
}
