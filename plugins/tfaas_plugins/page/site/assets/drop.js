// A place to drop files on, or to choose them by a click or a key; and what is dropped elsewhere.

import { h, note } from "./dom.js";

/** `taken(files)` gets what was dropped or chosen; `folder()` is told if a folder was dropped. */
export function dropPlace({ text, hint, accept = "", multiple = false, taken, folder = () => {} }) {
  const input = h("input", {
    type: "file",
    accept: accept || null,
    multiple,
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  const place = h(
    "button",
    { type: "button", class: "drop" },
    h("strong", {}, text),
    h("span", { class: "soft small" }, hint),
  );
  place.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) taken([...input.files]);
    input.value = "";
  });
  const take = ({ files, isFolder }) => {
    if (isFolder) folder();
    else if (files.length) taken(multiple ? files : files.slice(0, 1));
  };
  takers.set(place, take);
  if (multiple && carried) take(carried);
  if (multiple) carried = null;
  return h("div", { class: "drop-place" }, place, input);
}

const takers = new WeakMap();

// What was dropped on a view without a place, and goes on to the upload.
let carried = null;
let inside = 0;

// The whole window is the place that is shown: whoever misses it does not mean to leave the page.
function within(step) {
  inside = step ? Math.max(0, inside + step) : 0;
  document.querySelector(".drop")?.classList.toggle("over", inside > 0);
}

function dropped({ items, files }) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.());
  return { files: [...files], isFolder: entries.some((entry) => entry?.isDirectory) };
}

function carry(what) {
  if (location.hash.startsWith("#/models/"))
    return note("Nothing here takes files. If the model takes pictures, choose “Picture” first.");
  if (what.files.every((file) => file.type.startsWith("image/")))
    return note("Open the model that the picture is for, and drop it there.");
  carried = what;
  location.hash = "#/upload";
  return null;
}

function onFiles(event, listener) {
  addEventListener(event, (each) => {
    // Text may be dragged into a field.
    if (each.dataTransfer?.types.includes("Files")) listener(each);
  });
}

onFiles("dragenter", () => within(1));
onFiles("dragleave", () => within(-1));
onFiles("dragover", (event) => event.preventDefault());
onFiles("drop", (event) => {
  event.preventDefault();
  within(0);
  if (document.querySelector("dialog[open]")) return;
  const take = takers.get(document.querySelector(".drop"));
  if (take) take(dropped(event.dataTransfer));
  else carry(dropped(event.dataTransfer));
});
