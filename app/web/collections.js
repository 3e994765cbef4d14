/** The collection picker: a list of those that the key may see or is for, otherwise a text field. */

import { may, me } from "./account.js";
import { call } from "./api.js";
import { byId, make } from "./elements.js";
import { t } from "./i18n.js";
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
  if (!may("manage")) return pick(me()?.collections?.map((name) => ({ name, is_usable: true })) ?? null);
  try {
    pick(await allCollections());
  } catch (error) {
    pick(null);
    showProblem(error, () => void load());
  }
}

/** @returns {Promise<any[]>} the collections that the key may see; throws Problem */
export async function allCollections() {
  const found = [];
  let cursor = null;
  do {
    const page = await call("GET", "collections", { query: { limit: 200, cursor } });
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
  list.replaceChildren(...found.map((each) => make("option", { value: each.name, disabled: !each.is_usable }, each.is_usable ? each.name : t("collections.not_served", { name: each.name }))));
  if (!names.includes(collection())) {
    if (collection() === "default") showCollection(names[0], true);
    else list.append(make("option", { value: collection(), disabled: true }, t("collections.not_found", { name: collection() }))); // of a link; the service answers what is wrong
  }
  list.value = collection();
}
