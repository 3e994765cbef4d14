/** What the service knows about one person: names, addresses, faces, and who looks alike. */

import { Problem, at, call } from "./api.js";
import { t } from "./i18n.js";
import { collection } from "./session.js";

/** @typedef {{identity_id: string, name?: string | null, faces?: number, face_id?: string | null, [member: string]: any}} Person */

const PAGE = 200;

export const nameOf = (/** @type {Person} */ person) => person.name || person.identity_id;

const letters = (/** @type {string} */ text) => text.toLowerCase().replace(/[\s_.\-]+/g, " ");

/** @returns {string} the id, if the name does not say it already, and the number of faces */
export function factsOf(/** @type {Person} */ person) {
  const id = person.name && letters(person.name) !== letters(person.identity_id) ? `${person.identity_id} · ` : "";
  return id + t("people.faces", { count: person.faces ?? 0 });
}

export const pathOf = (/** @type {Person} */ person) => at("collections/{}/identities/{}", collection(), person.identity_id);

export const facePath = (/** @type {{face_id: string}} */ face) => at("collections/{}/faces/{}", collection(), face.face_id);

/** @returns {Promise<any>} the person with the first faces; null if unknown */
export async function readPerson(/** @type {Person} */ person) {
  try {
    return await call("GET", pathOf(person));
  } catch (error) {
    if (error instanceof Problem && error.code === "identity_unknown") return null;
    throw error;
  }
}

/** @returns {Promise<{faces: any[], next_cursor: string | null}>} the oldest first */
export function facesPage(/** @type {Person} */ person, /** @type {string | null} */ cursor = null, limit = PAGE) {
  return call("GET", at("collections/{}/faces", collection()), { query: { identity_id: person.identity_id, cursor, limit } });
}

/** @returns {Promise<string[]>} the ids of all faces */
export async function faceIds(/** @type {Person} */ person) {
  const ids = [];
  let page;
  do {
    page = await facesPage(person, page?.next_cursor ?? null);
    ids.push(...page.faces.map((each) => each.face_id));
  } while (page.next_cursor);
  return ids;
}

/**
 * @param {string | null | undefined} faceId
 * @returns {Promise<any[]>} the people whose faces are most similar, first of all its owner; none if the key may not search
 */
export async function nearest(faceId) {
  if (!faceId) return [];
  try {
    const { embedding } = await call("GET", facePath({ face_id: faceId }), { query: { embedding: "true" } });
    return (await call("POST", "search", { json: { embedding, collection: collection() } })).candidates;
  } catch (error) {
    if (error instanceof Problem && !error.isPassing) return [];
    throw error;
  }
}
