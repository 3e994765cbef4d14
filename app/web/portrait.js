/** The picture of an enrolled face: its stored crop, or initials without one. */

import { Problem, at, send } from "./api.js";
import { make } from "./elements.js";
import { collection, session } from "./session.js";

const MOST = 500; // crops kept in memory

/** @type {Map<string, Promise<Blob | null>>} by face, in the order of their requests */
const crops = new Map();
/** @type {WeakMap<Element, () => void>} */
const waiting = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    waiting.get(target)?.();
  }
}, { rootMargin: "200px" });
for (const change of ["collection", "key"]) session.addEventListener(change, () => crops.clear());

/**
 * @param {{face_id?: string | null, has_image?: boolean, name?: string | null, identity_id?: string, isUnknown?: boolean}} face of a face or a person; `isUnknown`: nobody is enrolled with it
 * @param {string} [look] a further class
 * @returns {HTMLElement} decoration next to a name; it loads the crop when it comes into view
 */
export function portrait({ face_id, has_image, name, identity_id, isUnknown = false }, look = "") {
  const host = make("span", { class: `portrait ${look}`, "aria-hidden": "true" }, initials(name || identity_id || ""));
  if (face_id && has_image !== false) {
    waiting.set(host, () => void load(host, face_id, isUnknown));
    seen.observe(host);
  }
  return host;
}

/**
 * Show an image of the API in place of an element's content, which stays if the image was deleted.
 *
 * @param {HTMLElement} host
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {string} [alt]
 */
export async function showImage(host, path, signal, alt = "") {
  try {
    const answer = await send("GET", path, { signal });
    await decoded(host, await answer.blob(), alt);
  } catch {
    // The content stays.
  }
}

/** @param {string} name */
function initials(name) {
  const words = name.split(/[\s_.\-]+/).filter(Boolean);
  const first = (/** @type {string} */ word) => [...word][0].toLocaleUpperCase();
  return words.length > 1 ? first(words[0]) + first(words[words.length - 1]) : words.length ? first(words[0]) : "?";
}

async function load(host, faceId, isUnknown) {
  const crop = await cropOf(faceId, isUnknown);
  if (!crop) return;
  await decoded(host, crop).catch(() => {}); // not an image that this browser can show: the initials stay
}

/** Show an image once it is decoded; throws if the browser cannot show it. */
async function decoded(/** @type {HTMLElement} */ host, /** @type {Blob} */ blob, alt = "") {
  const image = make("img", { alt, src: URL.createObjectURL(blob) });
  try {
    await image.decode();
    host.replaceChildren(image);
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/**
 * @param {string} faceId
 * @param {boolean} [isUnknown]
 * @returns {Promise<Blob | null>} null if the collection keeps no crop, or the key may not see it
 */
export function cropOf(faceId, isUnknown = false) {
  const path = at(`collections/{}/${isUnknown ? "unknown-faces" : "faces"}/{}/image`, collection(), faceId);
  const known = crops.get(path);
  if (known) return known;
  const asked = fetched(path);
  crops.set(path, asked);
  asked.catch(() => crops.delete(path));
  for (const oldest of crops.keys()) {
    if (crops.size <= MOST) break;
    crops.delete(oldest);
  }
  return asked.catch(() => null);
}

async function fetched(path) {
  try {
    return await (await send("GET", path)).blob();
  } catch (error) {
    if (error instanceof Problem && [403, 404].includes(error.status)) return null;
    throw error;
  }
}
