// Numbers, sizes and times, as people read them.

const NONE = "–";

/** 2048 as "2.0 kB". */
export function bytes(size) {
  if (size === null || size === undefined) return NONE;
  let value = size;
  for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
    if (value < 1000 || unit === "TB")
      return `${unit === "B" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return NONE;
}

/** Seconds as "0.4 ms", "12 ms", "3.1 s", "2 min", "5 h", "3 d". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return NONE;
  if (seconds < 0.1) return `${significant(seconds * 1000)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${significant(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** "3 min ago", of seconds. */
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  return seconds < 2 ? "now" : `${duration(Math.floor(seconds))} ago`;
}

/** A number with two or three digits that matter. */
export function significant(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, "");
  return value.toFixed(2).replace(/\.?0+$/, "");
}

/** What the server says, as a sentence that stands alone. */
export function sentence(text) {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`.replace(/[^.!?]$/, "$&.");
}

export function count(value, one, many) {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

/** A shape as "[?, 3]". */
export function shape(sizes) {
  return sizes === null || sizes === undefined
    ? "any shape"
    : `[${sizes.map((size) => size ?? "?").join(", ")}]`;
}

/** "2026-11-22 09:36:27.39 +0000 UTC" to the minute, without the time zone, which always is UTC. */
export function minute(text) {
  return String(text).slice(0, 16);
}

/** A number of an answer: all its digits; null for what JSON has no number for. */
export function exact(value) {
  return value === null
    ? "not a number"
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
}

const PRETTY_CHARACTERS = 20000;

/** JSON over several lines, unless it is long; lists of plain values stay on one. */
export function pretty(document) {
  const flat = JSON.stringify(document);
  if (flat.length > PRETTY_CHARACTERS) return flat;
  return JSON.stringify(document, null, 2).replace(/\[[^[\]{}]*\]/g, (list) =>
    list
      .replace(/\s*\n\s*/g, " ")
      .replace("[ ", "[")
      .replace(" ]", "]"),
  );
}
