/** Making several entries one person: all sides by side first, and a way back afterwards. */

import { call } from "./api.js";
import { opened } from "./dialogs.js";
import { button, make, say } from "./elements.js";
import { t } from "./i18n.js";
import { faceIds, facesPage, factsOf, nameOf, nearest, pathOf } from "./identity.js";
import { giveBack } from "./move.js";
import { series } from "./phrases.js";
import { pickPerson } from "./picker.js";
import { portrait } from "./portrait.js";
import { attempt } from "./problems.js";
import { flush, offerUndo } from "./undo.js";

const SHOWN = 6; // faces of each

/** @typedef {import("./identity.js").Person} Person */

/**
 * Ask who it is, compare, and merge.
 *
 * @param {Person} person
 * @returns {Promise<string | null>} the id that is kept, or null
 */
export async function mergeWithAnother(person) {
  const near = await nearest(person.face_id);
  const other = await pickPerson(t("merge.who", { name: nameOf(person) }), { near, without: [person.identity_id] });
  return other && mergePeople([person, other]);
}

/**
 * Compare people, and merge them if the user confirms that they are one.
 *
 * @param {Person[]} people
 * @param {{note?: string, onUndo?: () => void}} [wishes] `note`: what speaks for it
 * @returns {Promise<string | null>} the id that is kept, or null
 */
export async function mergePeople(people, { note = "", onUndo } = {}) {
  const known = /** @type {Person[] | undefined} */ (await attempt(make("div"), () => Promise.all(people.map((each) => call("GET", pathOf(each))))));
  const kept = known && (await compared(known, note));
  if (!kept) return null;
  const others = known.filter((each) => each !== kept);
  const isDone = await attempt(make("div"), () => merged(others, kept, onUndo));
  return isDone ? kept.identity_id : null;
}

/** @returns {Promise<Person | null>} who is kept, or null if they are not one person */
async function compared(/** @type {Person[]} */ people, /** @type {string} */ note) {
  // The usual choice: somebody with a name, then with the most faces.
  const [usual] = [...people].sort((a, b) => Number(Boolean(b.name)) - Number(Boolean(a.name)) || (b.faces ?? 0) - (a.faces ?? 0));
  const choice = make("div", { class: "sides" }, ...people.map((person) => side(person, person === usual)));
  const no = button(t("page.cancel"), () => {}, "quiet");
  const yes = button(t("merge.into", { count: people.length }), () => {}, "main");
  const dialog = make(
    "dialog",
    { class: "compare", "aria-labelledby": "compare-title" },
    make("h2", { id: "compare-title" }, people.length > 2 ? t("merge.many", { count: people.length }) : t("merge.two")),
    note ? make("p", { class: "hint" }, note) : null,
    choice,
    make("p", { class: "hint" }, t("merge.effect")),
    make("div", { class: "row end" }, no, yes),
  );
  document.body.append(dialog);
  const isOne = await opened(dialog, (close) => {
    no.onclick = () => close(false);
    yes.onclick = () => close(true);
  });
  const at = [...choice.querySelectorAll("input")].findIndex((each) => each.checked);
  dialog.remove();
  return isOne ? people[at] : null;
}

/** One side of the comparison: the faces, and the choice to keep this entry. */
function side(/** @type {Person} */ person, /** @type {boolean} */ isUsual) {
  const keep = make("input", { type: "radio", name: "keep", checked: isUsual });
  return make("div", { class: "side" }, faceStrip(person), make("b", {}, nameOf(person)), make("small", {}, factsOf(person)), make("label", { class: "check" }, keep, make("span", {}, t("merge.keep"))));
}

/**
 * @param {Person} person
 * @param {number} [most]
 * @param {string[]} [without] ids of faces that are not shown
 * @returns {HTMLElement} some faces of a person, next to their name
 */
export function faceStrip(person, most = SHOWN, without = []) {
  const strip = make("div", { class: "strip" }, portrait(person, "large"));
  void attempt(strip, async () => {
    const page = await facesPage(person, null, most + without.length);
    const faces = page.faces.filter((each) => !without.includes(each.face_id)).slice(0, most);
    if (faces.length) strip.replaceChildren(...faces.map((face) => portrait({ ...face, name: person.name }, "large")));
  }, undefined, true);
  return strip;
}

async function merged(/** @type {Person[]} */ others, /** @type {Person} */ kept, /** @type {(() => void) | undefined} */ onUndo) {
  await flush();
  const before = await Promise.all(others.map(async (person) => ({ person, ids: await faceIds(person) })));
  for (const { person } of before) await call("POST", `${pathOf(person)}/merge`, { json: { into: kept.identity_id } });
  const text = t("merge.done", { names: series(...others.map(nameOf)), name: nameOf(kept) });
  say(text);
  offerUndo(text, async () => {
    for (const { person, ids } of before) await giveBack(person, ids);
    const { name, metadata, consent, expires_at } = kept; // it had adopted what it lacked
    await call("PATCH", pathOf(kept), { json: { name, metadata, consent, expires_at } });
  }, onUndo);
  return true;
}
