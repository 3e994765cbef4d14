/** Tabs as in the ARIA practices: arrow keys move, and the address names the open tab. */

import { byId } from "./elements.js";

/** @type {Map<string, {onShow?: () => void, onHide?: () => void}>} */
const panels = new Map();
let open = "";

/**
 * @param {string} name
 * @param {{onShow?: () => void, onHide?: () => void}} panel
 */
export function addPanel(name, panel) {
  panels.set(name, panel);
}

/** @returns {string} the open tab */
export const openTab = () => open;

/** @param {string} name */
export function show(name) {
  if (!panels.has(name) || name === open) return;
  panels.get(open)?.onHide?.();
  open = name;
  for (const each of panels.keys()) {
    const tab = byId(`tab-${each}`);
    tab.setAttribute("aria-selected", String(each === name));
    tab.tabIndex = each === name ? 0 : -1;
    byId(each).hidden = each !== name;
  }
  history.replaceState(null, "", `#/${name}`); // not an element's id, so that the browser neither scrolls nor moves the focus
  document.title = `${byId(`tab-${name}`).textContent} · ArcID`;
  panels.get(name)?.onShow?.();
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
    show(names[(next + names.length) % names.length]);
    byId(`tab-${open}`).focus();
  });
  const named = () => location.hash.replace("#/", "");
  addEventListener("hashchange", () => show(named()));
  show(panels.has(named()) ? named() : names[0]);
}
