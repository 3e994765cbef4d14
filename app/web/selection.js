/** Several entries of a grid selected at once, and the bar with what can be done with them. */

import { button, make, say } from "./elements.js";
import { t } from "./i18n.js";

/** @template Item */
export class Selection {
  /** @type {Map<string, Item>} */
  #chosen = new Map();
  /** @type {HTMLInputElement | null} */
  #last = null;
  #bar;
  #key;
  #actions;

  /**
   * @param {HTMLElement} bar shown while anything is selected
   * @param {string} key of the text with the number of selected entries
   * @param {(items: Item[]) => (HTMLElement | null)[]} actions
   */
  constructor(bar, key, actions) {
    this.#bar = bar;
    this.#key = key;
    this.#actions = actions;
    bar.parentElement?.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#chosen.size) this.clear();
    });
  }

  /** @returns {HTMLInputElement} the checkbox of an entry; with the shift key it selects all from the last one on */
  box(/** @type {string} */ id, /** @type {Item} */ item, /** @type {string} */ label) {
    const box = make("input", { type: "checkbox", class: "pick", "aria-label": label, checked: this.#chosen.has(id) });
    box.onchange = () => {
      if (box.checked) this.#chosen.set(id, item);
      else this.#chosen.delete(id);
      this.#draw();
    };
    box.onclick = (/** @type {MouseEvent} */ event) => {
      if (event.shiftKey && this.#last) this.#range(this.#last, box);
      this.#last = box;
    };
    return box;
  }

  /** Select none. */
  clear() {
    this.#chosen.clear();
    for (const box of this.#boxes()) box.checked = false;
    this.#draw();
  }

  /** Forget people who have left the list. */
  keep(/** @type {Map<string, any>} */ listed) {
    for (const id of this.#chosen.keys()) if (!listed.has(id)) this.#chosen.delete(id);
    this.#draw();
  }

  /** @returns {HTMLInputElement[]} */
  #boxes() {
    return [...(this.#bar.parentElement?.querySelectorAll("input.pick") ?? [])];
  }

  #range(/** @type {HTMLInputElement} */ from, /** @type {HTMLInputElement} */ to) {
    const boxes = this.#boxes();
    const [first, last] = [boxes.indexOf(from), boxes.indexOf(to)].sort((a, b) => a - b);
    if (first < 0) return;
    for (const box of boxes.slice(first, last + 1)) {
      if (box.checked !== to.checked) {
        box.checked = to.checked;
        box.dispatchEvent(new Event("change"));
      }
    }
  }

  #draw() {
    const items = [...this.#chosen.values()];
    const text = t(this.#key, { count: items.length });
    if (items.length && !this.#bar.hidden) say(text);
    this.#bar.hidden = items.length === 0;
    const clear = button(t("people.chooseNone"), () => this.clear(), "small quiet");
    this.#bar.replaceChildren(make("b", {}, text), ...this.#actions(items).filter((each) => each !== null), clear);
  }
}
