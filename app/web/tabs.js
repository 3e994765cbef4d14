/** Tabs as in the ARIA practices: arrow keys move, and the address names the open tab: `#/people`, `#/people/ada`. */

import { byId } from "./elements.js";

/** @typedef {{onShow?: (about: string) => void, onHide?: () => void}} Panel `about`: the rest of the address */

/** @type {Map<string, Panel>} */
const panels = new Map();
/** @type {Map<string, number>} how far each address was scrolled */
const scrolled = new Map();
let open = "";
let detail = "";

/**
 * @param {string} name
 * @param {Panel} panel
 */
export function addPanel(name, panel) {
  panels.set(name, panel);
}

/** @returns {string} the open tab */
export const openTab = () => open;

/**
 * @param {string} name
 * @param {string} [about] one entry of the tab, such as a person's id
 */
export const addressOf = (name, about = "") => `#/${name}${about && `/${encodeURIComponent(about)}`}`;

/**
 * Open a tab, as a step that the back button takes back.
 *
 * @param {string} name
 * @param {string} [about]
 * @param {boolean} [isReplacing] the back button then skips the current address
 */
export function show(name, about = "", isReplacing = false) {
  if (!panels.has(name) || (name === open && about === detail)) return;
  const address = addressOf(name, about); // not an element's id, so that the browser neither scrolls nor moves the focus
  if (isReplacing) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  present(name, about);
}

function present(/** @type {string} */ name, /** @type {string} */ about) {
  scrolled.set(addressOf(open, detail), scrollY);
  if (name !== open) panels.get(open)?.onHide?.();
  [open, detail] = [name, about];
  for (const each of panels.keys()) {
    const tab = byId(`tab-${each}`);
    tab.setAttribute("aria-selected", String(each === name));
    tab.tabIndex = each === name ? 0 : -1;
    byId(each).hidden = each !== name;
  }
  document.title = `${byId(`tab-${name}`).textContent} · ArcID`;
  panels.get(name)?.onShow?.(about);
  scrollTo(0, about ? 0 : (scrolled.get(addressOf(name)) ?? 0));
}

/** Open the tab in the address. */
export function startTabs() {
  const names = [...panels.keys()];
  const list = /** @type {HTMLElement} */ (document.querySelector('[role="tablist"]'));
  list.addEventListener("click", (event) => {
    const tab = /** @type {HTMLElement} */ (event.target).closest('[role="tab"]');
    if (tab) show(tab.id.replace("tab-", ""));
  });
  list.addEventListener("keydown", (event) => {
    const now = names.indexOf(open);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: names.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    show(names[(next + names.length) % names.length], "", true);
    byId(`tab-${open}`).focus();
  });
  history.scrollRestoration = "manual";
  addEventListener("hashchange", () => {
    const [name, about] = addressed();
    if (panels.has(name) && (name !== open || about !== detail)) present(name, about);
  });
  const [name, about] = addressed();
  present(panels.has(name) ? name : names[0], panels.has(name) ? about : "");
}

/** @returns {string[]} the tab and its detail in the address */
function addressed() {
  const [, name = "", about = ""] = location.hash.match(/^#\/([^/]*)\/?(.*)$/) ?? [];
  try {
    return [name, decodeURIComponent(about)];
  } catch {
    return [name, about]; // typed by hand
  }
}
