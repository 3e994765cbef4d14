/** The card of a person in the grid, and what can be done with several selected people. */

import { button, byId, make } from "./elements.js";
import { t } from "./i18n.js";
import { factsOf, nameOf, pathOf } from "./identity.js";
import { mergePeople } from "./merge.js";
import { portrait } from "./portrait.js";
import { Selection } from "./selection.js";
import { collection } from "./session.js";
import { addressOf } from "./tabs.js";
import { deleteLater } from "./undo.js";

/** @typedef {import("./identity.js").Person} Person */

/** @type {Selection<Person>} */
export const selectedPeople = new Selection(byId("people-selected"), "people.chosen", (people) => [
  people.length > 1 ? button(t("people.merge"), () => void merge(people), "small") : null,
  button(t("people.delete"), () => remove(people), "small danger"),
  button(t("people.export"), () => save(people), "small"),
]);

/**
 * @param {Person} person
 * @returns {HTMLLIElement}
 */
export function personCard(person) {
  const link = make("a", { href: addressOf("people", person.identity_id) }, portrait(person), make("b", {}, nameOf(person)), make("small", {}, factsOf(person)));
  return make("li", { "data-person": person.identity_id }, link, selectedPeople.box(person.identity_id, person, t("people.select", { name: nameOf(person) })));
}

async function merge(/** @type {Person[]} */ people) {
  if (await mergePeople(people)) selectedPeople.clear();
}

function remove(/** @type {Person[]} */ people) {
  selectedPeople.clear();
  deleteLater(people.map(pathOf), people.length > 1 ? t("people.deleted", { count: people.length }) : t("people.deletedOne", { name: nameOf(people[0]) }));
}

/** Save a CSV file (RFC 4180) with the ids and names. */
function save(/** @type {Person[]} */ people) {
  const cell = (/** @type {string} */ text) => `"${text.replaceAll('"', '""')}"`;
  const lines = ["identity_id,name", ...people.map((each) => `${cell(each.identity_id)},${cell(each.name ?? "")}`)];
  const address = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
  make("a", { href: address, download: `${collection()}-people.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 0);
}
