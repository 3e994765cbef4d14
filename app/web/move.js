/** Giving faces to somebody else, and giving them back. */

import { Problem, at, call } from "./api.js";
import { make, say } from "./elements.js";
import { t } from "./i18n.js";
import { facePath, nameOf, nearest, pathOf, readPerson } from "./identity.js";
import { pickPerson } from "./picker.js";
import { attempt } from "./problems.js";
import { collection } from "./session.js";
import { flush, offerUndo } from "./undo.js";

const MOST = 1000; // faces of one request

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
  const title = t("faces.whose", { count: faces.length });
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
    await give(ids, { identity_id: to.identity_id });
    const text = t("faces.moved", { count: ids.length, name: nameOf(person), other: nameOf(to) });
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
  const { identity_id, name, metadata, consent, expires_at } = before;
  const isGone = (await readPerson(before)) === null;
  const owner = isGone ? { identity_id, name, metadata, consent, expires_at } : { identity_id };
  try {
    await give(ids, owner);
  } catch (error) {
    if (!(error instanceof Problem && error.code === "face_unknown")) throw error;
    await give(await stillEnrolled(ids), owner); // some were deleted since
  }
}

async function give(/** @type {string[]} */ ids, /** @type {{identity_id: string, [member: string]: any}} */ owner) {
  for (let first = 0; first < ids.length; first += MOST) {
    await call("POST", at("collections/{}/faces/move", collection()), { json: { face_ids: ids.slice(first, first + MOST), ...owner } });
  }
}

async function stillEnrolled(/** @type {string[]} */ ids) {
  const known = await Promise.allSettled(ids.map((id) => call("GET", facePath({ face_id: id }))));
  return ids.filter((_, index) => known[index].status === "fulfilled");
}
