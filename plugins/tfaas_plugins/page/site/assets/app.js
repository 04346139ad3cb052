// The frame: which view is shown, how the server is, the token and the theme.

import { fill, h, note } from "./dom.js";
import "./drop.js";
import { duration } from "./format.js";
import { modelsView } from "./models.js";
import { server } from "./server.js";
import { token } from "./token.js";

const THEME = "tfaas.theme";

// Of a server, or a proxy before it, that may answer soon.
const PASSING = new Set([0, 502, 503, 504]);

// Only the first view comes with the page; the others when they are asked for.
const VIEWS = [
  [/^$/, () => modelsView],
  [/^upload$/, async () => (await import("./upload.js")).uploadView],
  [/^live$/, async () => (await import("./live.js")).liveView],
  [/^models\/([^/]+)$/, async () => (await import("./model.js")).modelView],
];

let view = null;
let shown = 0;

async function show() {
  const mine = ++shown;
  const path = location.hash.replace(/^#\/?/, "");
  const [made, fields] = found(path);
  const open = await made();
  if (mine !== shown) return;
  view?.end?.();
  view = open(...fields);
  const main = document.getElementById("main");
  fill(main, view.element);
  view.drawn?.();
  document.title = `${view.title} – TFaaS`;
  for (const link of document.querySelectorAll(".top nav a")) {
    const isHere = link.getAttribute("href") === `#/${path.startsWith("models/") ? "" : path}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (mine > 1) {
    scrollTo(0, 0);
    main.focus();
  }
}

function found(path) {
  for (const [pattern, made] of VIEWS) {
    const fields = pattern.exec(path)?.slice(1).map(decoded);
    // As a part of an address, dots alone would lead elsewhere.
    if (fields && !fields.some((each) => /^\.{1,2}$/.test(each))) return [made, fields];
  }
  return [() => unknown, [path]];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unknown(path) {
  return {
    title: "Nothing here",
    element: h(
      "div",
      { class: "panel empty" },
      h("h1", {}, "Nothing here"),
      h("p", {}, `The page has no “${path}”. `, h("a", { href: "#/" }, "Show the models")),
    ),
  };
}

function tell() {
  const { status, error, stopping } = server;
  const banner = document.getElementById("banner");
  const trouble = error ? troubleOf(error) : stopping ? `Not ready: ${stopping}.` : "";
  banner.hidden = !trouble;
  if (banner.textContent !== trouble) banner.textContent = trouble;
  document.getElementById("server").textContent = status
    ? `TFaaS ${status.version}, up ${duration(Math.floor(status.uptime_s))}`
    : "";
}

function troubleOf(error) {
  if (error.status === 404)
    return "This port answers predictions alone. The port for management shows this page with all models.";
  if (error.status === 401) return `${error.message}. Give a token by the button “Token”.`;
  const again = PASSING.has(error.status) ? " Asking it again." : "";
  return `${error.message.replace(/\.?$/, ".")}${again}`;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.textContent = theme === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-label", `${button.textContent} colours`);
}

function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem(THEME) ?? (dark.matches ? "dark" : "light");
  setTheme(chosen());
  dark.addEventListener("change", () => setTheme(chosen()));
  document.getElementById("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem(THEME, theme);
    setTheme(theme);
  });
}

startTheme();
const signIn = document.getElementById("sign-in");
signIn.hidden = !token.value;
signIn.addEventListener("click", async () => {
  await token.ask("Another token, or none, from now on.");
  server.refresh();
});
server.addEventListener("change", tell);
server.addEventListener("lost", ({ detail: { model, pid, others } }) =>
  note(
    `${model} is no longer in process ${pid}${others.length ? `, and goes on in ${others.join(", ")}` : ""}.`,
  ),
);
addEventListener("hashchange", show);
show();
server.start();
