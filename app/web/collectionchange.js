/** Read and change the settings of a collection; changes that somebody else made in the meantime are kept. */

import { Problem, at, send } from "./api.js";
import { GROUPS } from "./settingfields.js";

const TRIES = 5;
const NAMES = GROUPS.flatMap((group) => group.fields).map((field) => field.name);

/** @typedef {{collection: any, version: string}} Read a collection, and its ETag */

/** @returns {Promise<Read>} throws Problem */
export const readCollection = async (/** @type {string} */ name, /** @type {AbortSignal | undefined} */ signal = undefined) => read(await send("GET", at("collections/{}", name), { signal }));

/**
 * An enrollment changes the version too, so it is the settings that are compared.
 *
 * @param {Read} before as the user saw it
 * @param {object} changes
 * @returns {Promise<{after: Read, isSaved: boolean}>} not saved: somebody else changed the settings; throws Problem
 */
export async function changeCollection(before, changes) {
  for (let now = before, left = TRIES; ; left -= 1) {
    try {
      const answer = await send("PATCH", at("collections/{}", before.collection.name), { json: changes, headers: { "If-Match": now.version } });
      return { after: await read(answer), isSaved: true };
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412 || left === 0) throw error;
      now = await readCollection(before.collection.name);
      if (settings(now) !== settings(before)) return { after: now, isSaved: false };
    }
  }
}

const read = async (/** @type {Response} */ answer) => ({ collection: await answer.json(), version: answer.headers.get("ETag") ?? "*" });

const settings = (/** @type {Read} */ { collection }) => JSON.stringify(NAMES.map((name) => collection[name]));
