// The HTTP API of the server that sent this page.

import { token } from "./token.js";

const BASE = new URL("./", document.baseURI);

/** What the server refused, in its words; `status` is 0 if it did not answer. */
export class ApiError extends Error {
  constructor(message, status = 0, code = "", document = {}) {
    super(message);
    Object.assign(this, { status, code, document });
  }
}

export const UNREACHABLE = "The server does not answer.";

/** The whole address of a path such as "models/digits". */
export function address(path) {
  return new URL(path, BASE).href;
}

/** The path of a model, or of what is below it. */
export function modelPath(name, ...parts) {
  return ["models", name, ...parts].map(encodeURIComponent).join("/");
}

/** Asks; gives the response if it is a success. Asks for a token where one is needed. */
export async function ask(method, path, { body, headers = {}, signal } = {}) {
  for (;;) {
    const sent = token.value;
    const response = await answered(method, path, {
      body,
      headers: { ...headers, ...token.header() },
      signal,
    });
    if (response.ok) return response;
    const error = await errorOf(response);
    if (response.status !== 401 || !(await token.renewed(sent, error.message))) throw error;
  }
}

/** The JSON that a path answers; `document` is sent as JSON. */
export async function json(method, path, document, options = {}) {
  const body =
    document === undefined
      ? {}
      : { body: JSON.stringify(document), headers: { "Content-Type": "application/json" } };
  const response = await ask(method, path, { ...body, ...options });
  return response.json();
}

async function answered(method, path, options) {
  try {
    return await fetch(address(path), {
      method,
      cache: "no-store",
      credentials: "same-origin",
      ...options,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE);
  }
}

async function errorOf(response) {
  return refusal(response.status, await response.text());
}

function refusal(status, text) {
  let document = {};
  try {
    document = JSON.parse(text);
  } catch {
    /* not of this server: a proxy's, say */
  }
  if (typeof document?.error === "string")
    return new ApiError(document.error, status, document.code, document);
  return new ApiError(
    `Something between here and the server answered ${status}.`,
    status,
    "",
    document ?? {},
  );
}

/** Uploads, telling the part that is sent, 0 to 1; gives the record. */
export async function upload(path, body, headers, progress, signal) {
  for (;;) {
    const sent = token.value;
    const { status, text } = await send(
      path,
      body,
      { ...headers, ...token.header() },
      progress,
      signal,
    );
    if (status === 200) return JSON.parse(text);
    const error = status
      ? refusal(status, text)
      : new ApiError(
          "The connection broke before the server had answered. It may have stopped, or refused the file by its size.",
        );
    if (status !== 401 || !(await token.renewed(sent, error.message))) throw error;
  }
}

// fetch tells nothing of how much it has sent.
function send(path, body, headers, progress, signal) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    request.addEventListener("loadend", () =>
      resolve({ status: request.status, text: request.responseText }),
    );
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}
