/** Messages at the lower edge: what was done, with a button that takes it back. Ctrl+Z presses the last one. */

import { button, byId, make } from "./elements.js";
import { t } from "./i18n.js";

const MOST = 3;
const STAY_MS = 4000; // without a way back

/** @type {Toast[]} */
const all = [];

addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || isTyping || document.querySelector("dialog[open]")) return;
  const last = all.findLast((each) => each.undo);
  if (last) event.preventDefault();
  last?.undo?.click();
});

export class Toast {
  #timer = 0;
  #time;
  #onTime;

  /**
   * @param {string} text
   * @param {() => void} onUndo
   * @param {number} [time] milliseconds until `onTime`; it stops while the pointer or the focus is on the message
   * @param {() => void} [onTime] also called if the message has to give way to newer ones
   */
  constructor(text, onUndo, time = 0, onTime = () => this.close()) {
    this.#time = time;
    this.#onTime = onTime;
    /** @type {HTMLButtonElement | null} */
    this.undo = button(t("page.undo"), onUndo, "small");
    this.undo.title = "Ctrl+Z";
    this.element = make("div", { class: "toast" }, make("span", {}, text), this.undo, button(t("page.close"), () => this.#onTime(), "small quiet"));
    for (const begin of ["pointerenter", "focusin"]) this.element.addEventListener(begin, () => clearTimeout(this.#timer));
    for (const end of ["pointerleave", "focusout"]) this.element.addEventListener(end, () => this.#wait());
    byId("toasts").append(this.element);
    all.push(this);
    if (all.length > MOST) all[0].#onTime();
    this.#wait();
  }

  /** It cannot be taken back any more; the message goes a little later. */
  settle() {
    this.undo?.remove();
    this.undo = null;
    this.#time = STAY_MS;
    this.#onTime = () => this.close();
    this.#wait();
  }

  close() {
    clearTimeout(this.#timer);
    this.element.remove();
    const at = all.indexOf(this);
    if (at >= 0) all.splice(at, 1);
  }

  #wait() {
    clearTimeout(this.#timer);
    if (this.#time && this.element.isConnected) this.#timer = setTimeout(() => this.#onTime(), this.#time);
  }
}
