/** Giving faces to somebody else, and giving them back. */

import { Problem, call } from "./api.js";
import { make, say } from "./elements.js";
import { facePath, nameOf, nearest, pathOf } from "./identity.js";
import { count } from "./numbers.js";
import { pickPerson } from "./picker.js";
import { attempt } from "./problems.js";
import { flush, offerUndo } from "./undo.js";

/** @typedef {import("./identity.js").Person} Person */

/**
 * Ask who it is, and give the faces to them.
 *
 * @param {Person} person the owner
 * @param {{face_id: string}[]} faces
 * @param {() => void} [onUndo]
 * @returns {Promise<Person | null>} the new owner; null if the user cancels
 */
export async function moveFaces(person, faces, onUndo) {
  const title = faces.length > 1 ? `Whose faces are these ${faces.length}?` : "Whose face is this?";
  const near = await nearest(faces[0].face_id);
  const to = await pickPerson(title, { near, without: [person.identity_id] });
  return to && giveFaces(person, faces, to, onUndo);
}

/**
 * @param {Person} person the owner
 * @param {{face_id: string}[]} faces
 * @param {Person} to
 * @param {() => void} [onUndo]
 * @returns {Promise<Person | null>} the new owner, or null
 */
export async function giveFaces(person, faces, to, onUndo) {
  const ids = faces.map((each) => each.face_id);
  const owner = await attempt(make("div"), async () => {
    await flush(); // a deletion that waits must not meet the faces elsewhere
    const before = await call("GET", pathOf(person));
    await give(ids, to.identity_id);
    const text = `${ids.length > 1 ? count(ids.length, "face") : "A face"} of ${nameOf(person)} moved to ${nameOf(to)}`;
    say(text);
    offerUndo(text, () => giveBack(before, ids), onUndo);
    return to;
  });
  return owner ?? null;
}

/**
 * Give faces to their former owner, who is created again with name and data if they are gone.
 *
 * @param {Person} before the owner as they were
 * @param {string[]} ids
 */
export async function giveBack(before, ids) {
  await give(ids, before.identity_id);
  const now = await call("GET", pathOf(before));
  if (now.created_at === before.created_at) return;
  const { name, metadata, consent, expires_at } = before;
  const kept = Object.entries({ name, metadata, consent, expires_at }).filter(([, value]) => value !== null && value !== undefined);
  await call("PATCH", pathOf(before), { json: Object.fromEntries(kept) });
}

async function give(/** @type {string[]} */ ids, /** @type {string} */ to) {
  for (const id of ids) {
    try {
      await call("POST", `${facePath({ face_id: id })}/move`, { json: { identity_id: to } });
    } catch (error) {
      if (!(error instanceof Problem && error.code === "face_unknown")) throw error; // deleted since
    }
  }
}
