// Runs before Netron: names the one model file that it may ask for, with the page's token, and keeps
// it from asking who uses it.
"use strict";

(() => {
  const TOKEN = "tfaas.token";
  const asked = new URLSearchParams(location.search);
  const model = asked.get("model");
  const version = asked.get("version");
  const here = new URL("./", location.href);
  const version_part = version ? `versions/${encodeURIComponent(version)}/` : "";
  const graph = model ? `../models/${encodeURIComponent(model)}/${version_part}graph.pb` : "";

  function says(name, content) {
    const meta = document.createElement("meta");
    meta.name = name;
    meta.content = content;
    document.head.append(meta);
  }

  document.addEventListener("DOMContentLoaded", () => {
    // Netron sends telemetry unless it is no release, and refuses to run if it is an old one.
    document
      .querySelectorAll("meta[name=version], meta[name=date]")
      .forEach((each) => each.remove());
    says("version", "0.0.0");
    if (graph) {
      says("file", graph);
      says("identifier", `${version ? `${model}-${version}` : model}.pb`);
    }
  });

  // It asks for consent to its cookies, which it does not need for anything else.
  Object.defineProperty(document, "cookie", { get: () => "consent=1", set: () => {} });

  // No other address is to be taken for that of a model.
  history.replaceState(null, "", `${location.pathname}${graph ? location.search : ""}`);

  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, address, ...more) {
    const url = new URL(address, here);
    const file = new URL(graph, here);
    const is_graph = graph !== "" && url.origin === file.origin && url.pathname === file.pathname;
    if (!is_graph && !url.href.startsWith(here.href)) {
      throw new Error(`${url.pathname} is not the model's graph.`);
    }
    open.call(this, method, address, ...more);
    const token = sessionStorage.getItem(TOKEN);
    if (is_graph && token) this.setRequestHeader("Authorization", `Bearer ${token}`);
  };
})();
