/** Grids of cards. A card that has not changed is used again, so that its picture does not flicker. */

/** @template Item */
export class Cards {
  /** @type {Map<string, {facts: string, card: HTMLElement}>} */
  #known = new Map();
  #list;
  #idOf;
  #build;

  /**
   * @param {HTMLElement} list arrow keys move the focus between the links or buttons of its cards, besides the Tab key
   * @param {(item: Item) => string} idOf
   * @param {(item: Item) => HTMLElement} build
   */
  constructor(list, idOf, build) {
    this.#list = list;
    this.#idOf = idOf;
    this.#build = build;
    list.addEventListener("keydown", (event) => moved(list, event));
  }

  /** Show these items alone, and keep the focus. */
  draw(/** @type {Item[]} */ items) {
    const before = this.#known;
    this.#known = new Map();
    const focus = this.#list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    this.#list.replaceChildren(...items.map((item) => this.#card(item, before)));
    if (focus?.isConnected) focus.focus({ preventScroll: true });
  }

  /** Show further items, the first of them with the focus. */
  append(/** @type {Item[]} */ items) {
    const further = items.map((item) => this.#card(item, this.#known));
    this.#list.append(...further);
    /** @type {HTMLElement | null} */ (further[0]?.querySelector("a, button"))?.focus();
  }

  /** @returns {Set<string>} ids of the cards */
  get ids() {
    return new Set(this.#known.keys());
  }

  focus(/** @type {string} */ id) {
    this.#known.get(id)?.card.querySelector("a")?.focus({ preventScroll: true });
  }

  #card(/** @type {Item} */ item, /** @type {Map<string, {facts: string, card: HTMLElement}>} */ known) {
    const facts = JSON.stringify(item);
    const same = known.get(this.#idOf(item));
    const entry = same?.facts === facts ? same : { facts, card: this.#build(item) };
    this.#known.set(this.#idOf(item), entry);
    return entry.card;
  }
}

function moved(/** @type {HTMLElement} */ list, /** @type {KeyboardEvent} */ event) {
  const cards = /** @type {HTMLElement[]} */ ([...list.children]);
  const now = cards.findIndex((card) => card.contains(document.activeElement));
  const forward = getComputedStyle(list).direction === "rtl" ? -1 : 1;
  const step = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: columns(cards), ArrowUp: -columns(cards) }[event.key];
  if (step === undefined || now < 0) return;
  event.preventDefault();
  /** @type {HTMLElement | null | undefined} */ (cards[now + step]?.querySelector("a, button"))?.focus();
}

function columns(/** @type {HTMLElement[]} */ cards) {
  const second = cards.findIndex((card) => card.offsetTop > cards[0].offsetTop);
  return second < 0 ? cards.length : second;
}
