/** State of the tab: the API key (in sessionStorage, deleted with the tab, or in memory only) and the collection. */

const KEY = "arcid.key";
const COLLECTION = "arcid.collection";

/** Dispatches `key`, `collection`, `collections` and `people` when they change, and `leaving` before a sign-out. */
export const session = new EventTarget();

/** @type {string | null} a key that a reload forgets */
let held = null;

/** @returns {string | null} */
export const key = () => held ?? sessionStorage.getItem(KEY);

/**
 * @param {string} value
 * @param {boolean} isKept until the tab is closed
 */
export function useKey(value, isKept) {
  held = isKept ? null : value;
  if (isKept) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
  session.dispatchEvent(new Event("key"));
}

/** Forget the key and the collection, and clear the page. */
export function signOut() {
  session.dispatchEvent(new Event("leaving"));
  sessionStorage.clear();
  location.reload();
}

/** @returns {string} */
export const collection = () => sessionStorage.getItem(COLLECTION) ?? "default";

/** @param {string} name */
export function useCollection(name) {
  if (name === collection()) return;
  sessionStorage.setItem(COLLECTION, name);
  session.dispatchEvent(new Event("collection"));
}

/** Report that people were enrolled, changed, merged or deleted. */
export const peopleChanged = () => session.dispatchEvent(new Event("people"));
