/** The card of a person in the grid, and what can be done with several selected people. */

import { button, byId, make } from "./elements.js";
import { factsOf, nameOf, pathOf } from "./identity.js";
import { mergePeople } from "./merge.js";
import { portrait } from "./portrait.js";
import { Selection } from "./selection.js";
import { collection } from "./session.js";
import { addressOf } from "./tabs.js";
import { deleteLater } from "./undo.js";

/** @typedef {import("./identity.js").Person} Person */

/** @type {Selection<Person>} */
export const selectedPeople = new Selection(byId("people-selected"), ["person", "people"], (people) => [
  people.length > 1 ? button("Merge …", () => void merge(people), "small") : null,
  button("Delete", () => remove(people), "small danger"),
  button("Export ids", () => save(people), "small"),
]);

/**
 * @param {Person} person
 * @returns {HTMLLIElement}
 */
export function personCard(person) {
  const link = make("a", { href: addressOf("people", person.identity_id) }, portrait(person), make("b", {}, nameOf(person)), make("small", {}, factsOf(person)));
  return make("li", { "data-person": person.identity_id }, link, selectedPeople.box(person.identity_id, person, `Select ${nameOf(person)}`));
}

async function merge(/** @type {Person[]} */ people) {
  if (await mergePeople(people)) selectedPeople.clear();
}

function remove(/** @type {Person[]} */ people) {
  selectedPeople.clear();
  deleteLater(people.map(pathOf), people.length > 1 ? `${people.length} people deleted` : `${nameOf(people[0])} deleted`);
}

/** Save a CSV file (RFC 4180) with the ids and names. */
function save(/** @type {Person[]} */ people) {
  const cell = (/** @type {string} */ text) => `"${text.replaceAll('"', '""')}"`;
  const lines = ["identity_id,name", ...people.map((each) => `${cell(each.identity_id)},${cell(each.name ?? "")}`)];
  const address = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
  make("a", { href: address, download: `${collection()}-people.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 0);
}
