/** The collection picker: a list if the key may see it, otherwise a text field. */

import { call } from "./api.js";
import { byId, make } from "./elements.js";
import { showProblem } from "./problems.js";
import { collection, session } from "./session.js";
import { showCollection } from "./tabs.js";

const MOST = 1000;

/** Connect the picker. */
export function startCollections() {
  const list = byId("collection-list");
  const field = byId("collection");
  field.value = collection();
  list.onchange = () => showCollection(list.value);
  field.onchange = () => field.reportValidity() && field.value && showCollection(field.value);
  byId("collection-form").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    field.onchange();
  };
  for (const change of ["key", "collections"]) session.addEventListener(change, () => void load());
  session.addEventListener("collection", () => (list.value = field.value = collection()));
  void load();
}

async function load() {
  try {
    pick(await all());
  } catch (error) {
    pick(null);
    if (error?.status !== 403) showProblem(error, () => void load());
  }
}

async function all() {
  const found = [];
  let cursor = null;
  do {
    const page = await call("GET", "collections", { query: { limit: 200, cursor }, isOptional: true });
    found.push(...page.collections);
    cursor = page.next_cursor;
  } while (cursor && found.length < MOST);
  return found;
}

/** @param {any[] | null} found */
function pick(found) {
  const list = byId("collection-list");
  list.hidden = !found?.length;
  byId("collection").hidden = !list.hidden;
  document.querySelector("#collection-form label").htmlFor = list.hidden ? "collection" : "collection-list";
  if (!found?.length) return;
  const names = found.map((each) => each.name);
  list.replaceChildren(...found.map((each) => make("option", { value: each.name, disabled: !each.is_usable }, each.is_usable ? each.name : `${each.name} (network not served)`)));
  if (!names.includes(collection())) {
    if (collection() === "default") showCollection(names[0], true);
    else list.append(make("option", { value: collection(), disabled: true }, `${collection()} (not found)`)); // of a link; the service answers what is wrong
  }
  list.value = collection();
}
