// A place to drop files on, or to choose them by a click or a key.

import { h } from "./dom.js";

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
  let inside = 0;
  place.addEventListener("dragenter", (event) => {
    event.preventDefault();
    inside += 1;
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => {
    inside -= 1;
    if (!inside) place.classList.remove("over");
  });
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    place.classList.remove("over");
    const items = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    if (items.some((item) => item?.isDirectory)) return folder();
    const files = [...event.dataTransfer.files];
    return files.length && taken(multiple ? files : files.slice(0, 1));
  });
  return h("div", { class: "drop-place" }, place, input);
}

// What is dropped beside the place is not to replace the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
