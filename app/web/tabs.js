/** Tabs as the ARIA practices have them: arrows move, the address says which one is open. */

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
  history.replaceState(null, "", `#/${name}`); // the name of no element: the browser scrolls and focuses nothing
  document.title = `${byId(`tab-${name}`).textContent} · ArcID`;
  panels.get(name)?.onShow?.();
}

/** Open the tab that the address names. */
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
