/**
 * Tabs as in the ARIA practices: arrow keys move, and the address names the collection and the open tab: `#/c/staff/people`,
 * `#/c/staff/people/ada`; `#/people/ada` is about the collection in use. Tabs about the whole service name none: `#/admin/keys`.
 */

import { byId } from "./elements.js";
import { collection, useCollection } from "./session.js";

/** @typedef {{onShow?: (about: string) => void, onHide?: () => void, isGlobal?: boolean}} Panel `about`: the rest of the address */

/** @type {Map<string, Panel>} */
const panels = new Map();
/** @type {Map<string, number>} how far each address was scrolled */
const scrolled = new Map();
let open = "";
let detail = "";
/** @type {(name: string) => HTMLElement[] | null} */
let forbidding = () => null;

/** @param {(name: string) => HTMLElement[] | null} check what to show in place of a tab that the user may not open, or null */
export function guardTabs(check) {
  forbidding = check;
}

/**
 * @param {string} name
 * @param {Panel} panel
 */
export function addPanel(name, panel) {
  panels.set(name, panel);
}

/** @returns {string} the open tab */
export const openTab = () => open;

const encoded = (/** @type {string} */ text) => encodeURIComponent(text).replaceAll("%2F", "/");

/**
 * @param {string} name
 * @param {string} [about] one entry of the tab, such as a person's id
 * @param {string} [of] the collection
 */
export const addressOf = (name, about = "", of = collection()) => `#/${[...(panels.get(name)?.isGlobal ? [] : ["c", of]), name, about].filter(Boolean).map(encoded).join("/")}`;

/**
 * Open a tab, as a step that the back button takes back.
 *
 * @param {string} name
 * @param {string} [about]
 * @param {boolean} [isReplacing] the back button then skips the current address
 */
export function show(name, about = "", isReplacing = false) {
  if (!panels.has(name) || (name === open && about === detail)) return;
  go(addressOf(name, about), isReplacing);
}

/**
 * Use another collection, as a step that the back button takes back.
 *
 * @param {string} name
 * @param {boolean} [isReplacing]
 */
export function showCollection(name, isReplacing = false) {
  if (name === collection()) return;
  if (panels.get(open)?.isGlobal) useCollection(name);
  else go(addressOf(open, isReplacing ? detail : "", name), isReplacing);
}

/** Draw the open tab again, for another user. */
export const refresh = () => present(open, detail);

function go(/** @type {string} */ address, /** @type {boolean} */ isReplacing) {
  if (isReplacing) history.replaceState(null, "", address); // not an element's id, so that the browser neither scrolls nor moves the focus
  else history.pushState(null, "", address);
  follow();
}

/** Open what the address names, and complete an address that names no collection or no tab. */
function follow() {
  const { name, about, of } = addressed();
  const isOther = of !== "" && of !== collection();
  const [tab, entry] = panels.has(name) ? [name, about] : [open || first(), isOther ? "" : detail];
  scrolled.set(addressOf(open, detail), scrollY);
  if (isOther) useCollection(of);
  if (isOther || tab !== open || entry !== detail) present(tab, entry);
  const full = addressOf(open, detail);
  if (location.hash !== full) history.replaceState(null, "", full);
}

const first = () => [...panels.keys()].find((each) => !forbidding(each)) ?? "identify";

function present(/** @type {string} */ name, /** @type {string} */ about) {
  if (name !== open) panels.get(open)?.onHide?.();
  [open, detail] = [name, about];
  const forbidden = forbidding(name);
  for (const each of panels.keys()) {
    const tab = byId(`tab-${each}`);
    tab.setAttribute("aria-selected", String(each === name));
    tab.tabIndex = each === name ? 0 : -1;
    tab.hidden = each !== name && forbidding(each) !== null;
    byId(each).hidden = each !== name || forbidden !== null;
  }
  byId("forbidden").hidden = forbidden === null;
  byId("forbidden").replaceChildren(...(forbidden ?? []));
  byId("collection-form").hidden = panels.get(name)?.isGlobal ?? false;
  byId(`tab-${name}`).scrollIntoView({ block: "nearest", inline: "nearest" });
  document.title = `${byId(`tab-${name}`).textContent} · ArcID`;
  if (!forbidden) panels.get(name)?.onShow?.(about);
  scrollTo(0, about ? 0 : (scrolled.get(addressOf(name)) ?? 0));
}

/** Open the tab in the address. */
export function startTabs() {
  const list = /** @type {HTMLElement} */ (document.querySelector('[role="tablist"]'));
  list.addEventListener("click", (event) => {
    const tab = /** @type {HTMLElement} */ (event.target).closest('[role="tab"]');
    if (tab) show(tab.id.replace("tab-", ""));
  });
  list.addEventListener("keydown", (event) => {
    const names = [...panels.keys()].filter((each) => !byId(`tab-${each}`).hidden);
    const now = names.indexOf(open);
    const forward = getComputedStyle(list).direction === "rtl" ? -1 : 1;
    const next = { ArrowRight: now + forward, ArrowLeft: now - forward, Home: 0, End: names.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    show(names[(next + names.length) % names.length], "", true);
    byId(`tab-${open}`).focus();
  });
  list.hidden = false; // until now it was not known who uses the page
  history.scrollRestoration = "manual";
  addEventListener("hashchange", follow);
  follow();
}

/** @returns {{name: string, about: string, of: string}} what the address names; empty where it names nothing */
function addressed() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  const [, of = ""] = parts[0] === "c" ? parts.splice(0, 2) : [];
  const [name = "", ...about] = parts;
  return { name, about: decoded(about.join("/")), of: decoded(of) };
}

function decoded(/** @type {string} */ text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand
  }
}
