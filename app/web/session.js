/** State of the tab: the API key (in sessionStorage, deleted with the tab) and the collection. */

const KEY = "arcid.key";
const COLLECTION = "arcid.collection";

/** Dispatches `key` and `collection` when they change, `people` when enrolled people do, and `leaving` before a sign-out. */
export const session = new EventTarget();

/** @returns {string | null} */
export const key = () => sessionStorage.getItem(KEY);

/** @param {string} value */
export function useKey(value) {
  sessionStorage.setItem(KEY, value);
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
