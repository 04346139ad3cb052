// What a signature says of its values: their kind, the shape of a row, and made-up ones.

const MOST_VALUES = 1024;

// What an example says beside the request; its signature is chosen beside the form.
const NOT_SENT = new Set(["outputs", "tolerance", "signature_name", "signature"]);

/** The inputs that a request has to send. */
export function required(signature) {
  return signature.inputs.filter((input) => input.default === undefined);
}

/** The shape of one row: without the batch axis, if there is one. */
export function rowShape(tensor, signature) {
  return signature.batch === "none" ? (tensor.shape ?? []) : (tensor.shape ?? []).slice(1);
}

/** The one input that `values` are for; null if there are several. */
export function onlyInput(signature) {
  const needed = required(signature);
  if (needed.length === 1) return needed[0];
  return needed.length === 0 && signature.inputs.length === 1 ? signature.inputs[0] : null;
}

/** The length of flat rows; 0 if rows are not flat, or of any length. */
export function rowLength(signature) {
  const input = onlyInput(signature);
  if (!input || signature.batch === "none" || !input.shape) return 0;
  const sizes = rowShape(input, signature);
  return sizes.length === 1 && sizes[0] && sizes[0] <= MOST_VALUES && !isComplex(input.dtype)
    ? sizes[0]
    : 0;
}

export function isComplex(dtype) {
  return dtype.startsWith("complex");
}

/** Whether rows may be pictures, as docs/http-api.md tells it; the server has the last word. */
export function takesPictures(signature, params) {
  const input = onlyInput(signature);
  if (!input?.shape) return false;
  if (input.dtype === "string") return rowShape(input, signature).length === 0;
  if (!/^(u?int|float|bfloat)/.test(input.dtype)) return false;
  const sizes = rowShape(input, signature);
  const channels = (size) =>
    size === 1 || size === 3 || size === 4 || (size === null && params.img_channels !== undefined);
  if (sizes.length === 4) return sizes.some((size) => size === 1) && signature.batch === "none";
  if (sizes.length === 3) return channels(sizes[2]) || channels(sizes[0]);
  if (sizes.length === 2) return sizes.every((size) => size === null || size > 4);
  return (
    sizes.length === 1 &&
    sizes[0] >= 16 &&
    [sizes[0], sizes[0] / 3].some((size) => Number.isInteger(Math.sqrt(size)))
  );
}

/** Whether it is likely that they are. */
export function isForPictures(signature, params) {
  const axes = rowShape(onlyInput(signature), signature).length;
  return axes > 2 || axes === 0 || Boolean(params.image || params.img_channels || params.labels);
}

/** A value as JSON text, of what somebody typed; throws Error with a sentence. */
export function valueText(typed, dtype, what) {
  const text = typed.trim();
  if (dtype === "string") return JSON.stringify(typed);
  if (dtype === "bool") {
    if (/^(true|false)$/i.test(text)) return text.toLowerCase();
    throw new Error(`${what} takes true or false.`);
  }
  if (text === "" || /^(nan|null)$/i.test(text)) return "null";
  // Long integers keep their digits: no number of JavaScript comes between.
  const plain = text
    .replace(/^\+/, "")
    .replace(/^(-?)\./, "$10.")
    .replace(/\.(?=e|$)/i, "");
  if (/^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(plain)) return plain;
  throw new Error(`${what} takes a number, not “${text.slice(0, 40)}”.`);
}

/** A made-up value for a tensor: zeros, in its shape, with 1 for what is free. */
export function madeUp(tensor, signature) {
  const zero = { string: "", bool: false }[tensor.dtype] ?? (isComplex(tensor.dtype) ? [0, 0] : 0);
  let left = 2000;
  const build = (sizes) => {
    if (!sizes.length) return zero;
    const [first, ...rest] = sizes;
    const size = Math.min(first ?? 1, Math.max(1, left));
    left = Math.max(1, Math.floor(left / size));
    return Array.from({ length: size }, () => build(rest));
  };
  return build(rowShape(tensor, signature));
}

/** The fields of a request for an example of the model, or for made-up values. */
export function firstDocument(signature, examples) {
  const example = examples.find(
    (each) => (each.signature_name ?? signature.name) === signature.name,
  );
  if (example) {
    const sent = Object.entries(example).filter(([field]) => !NOT_SENT.has(field));
    return Object.fromEntries(sent);
  }
  const input = onlyInput(signature);
  if (input) return { values: madeUp(input, signature) };
  return {
    inputs: Object.fromEntries(
      required(signature).map((each) => [each.name, madeUp(each, signature)]),
    ),
  };
}
