// The token that a server with guards asks for: kept for this tab alone, until it is closed.

import { h, field } from "./dom.js";
import { sentence } from "./format.js";

const KEY = "tfaas.token";

// What no header can send, and what comes along when one copies.
const NO_TOKEN = /[^\x21-\x7e]/g;

class Token {
  #asking = null;
  #declined = false;

  get value() {
    return sessionStorage.getItem(KEY) ?? "";
  }

  /** The header that sends it; none without a token. */
  header() {
    return this.value ? { Authorization: `Bearer ${this.value}` } : {};
  }

  /**
   * Whether there is another token than `sent`, which was refused; asks for one, but not again if
   * nobody gave any.
   */
  async renewed(sent, why) {
    if (this.value !== sent) return true;
    if (this.#declined) return false;
    // What the server says to whoever has sent none is for clients that set headers.
    return this.ask(sent ? sentence(why) : "This server asks for a token.");
  }

  /** Asks for a token; false: none was given. */
  ask(why) {
    this.#asking ??= this.#asked(why).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #asked(why) {
    const text = await tokenDialog(why);
    this.#declined = !text;
    document.getElementById("sign-in").hidden = false;
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
    return Boolean(text);
  }
}

export const token = new Token();

function tokenDialog(why) {
  const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false" });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "token-title" }, "Token"),
    h("p", { class: "small" }, why),
    field(
      "A token that the server knows",
      input,
      "It is kept until this tab is closed, and sent to this server alone.",
    ),
    h(
      "div",
      { class: "bar" },
      h("button", { type: "button", on: { click: () => dialog.close("") } }, "Go on without"),
      h("button", { class: "primary", value: "use" }, "Use it"),
    ),
  );
  const dialog = h("dialog", { "aria-labelledby": "token-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "use" ? input.value.replace(NO_TOKEN, "") : "");
    });
  });
}
