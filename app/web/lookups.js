/** The photos that were looked up: two at a time, the newest kept in this page's memory and never sent again by themselves. */

import { call } from "./api.js";
import { make } from "./elements.js";
import { collection } from "./session.js";

const AT_ONCE = 2;
const KEPT = 50;
const THUMBNAIL = 160; // pixels of the longer side

/**
 * @typedef {object} Lookup
 * @property {File} photo
 * @property {"waiting" | "looking" | "done" | "failed"} state
 * @property {any} answer of /identify, if done
 * @property {unknown} error if failed
 * @property {string | null} thumbnail address of a small picture; null if the browser cannot show the photo
 * @property {Set<number>} ignored places of faces
 */

/**
 * @param {File} photo
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} the service's answer
 */
export function identified(photo, signal) {
  const form = new FormData();
  form.append("photo", photo);
  form.append("collection", collection());
  return call("POST", "identify", { form, signal });
}

export class Lookups {
  /** @param {(lookup: Lookup, isAnswered: boolean) => void} onChange called when the state or the thumbnail of a lookup changes */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Lookup[]} the newest first */
    this.all = [];
    this.running = 0;
    this.drawing = Promise.resolve(); // one thumbnail at a time: a decoded photo is large
  }

  /**
   * @param {File[]} photos
   * @returns {Lookup[]} their lookups, which have started or wait
   */
  add(photos) {
    const added = photos.map((photo) => /** @type {Lookup} */ ({ photo, state: "waiting", answer: null, error: null, thumbnail: null, ignored: new Set() }));
    this.all.unshift(...added);
    for (const oldest of this.all.splice(Math.max(KEPT, added.length))) forget(oldest);
    for (const each of added) this.drawing = this.drawing.then(() => this.drawThumbnail(each));
    this.next();
    return added;
  }

  /** Look a photo up again. */
  repeat(/** @type {Lookup} */ lookup) {
    if (lookup.state === "looking") return;
    lookup.state = "waiting";
    this.onChange(lookup, false);
    this.next();
  }

  /** Forget all photos and answers. */
  clear() {
    for (const each of this.all.splice(0)) forget(each);
  }

  next() {
    const waiting = this.all.find((each) => each.state === "waiting");
    if (!waiting || this.running >= AT_ONCE) return;
    void this.run(waiting);
    this.next();
  }

  async run(/** @type {Lookup} */ lookup) {
    this.running += 1;
    lookup.state = "looking";
    this.onChange(lookup, false);
    try {
      lookup.answer = await identified(lookup.photo);
      [lookup.state, lookup.error] = ["done", null];
    } catch (error) {
      [lookup.state, lookup.error] = ["failed", error];
    }
    this.running -= 1;
    this.onChange(lookup, true);
    this.next();
  }

  async drawThumbnail(/** @type {Lookup} */ lookup) {
    const small = this.all.includes(lookup) && (await thumbnailOf(lookup.photo));
    if (!small || !this.all.includes(lookup)) return;
    lookup.thumbnail = URL.createObjectURL(small);
    this.onChange(lookup, false);
  }
}

function forget(/** @type {Lookup} */ lookup) {
  if (lookup.thumbnail) URL.revokeObjectURL(lookup.thumbnail);
}

/** @returns {Promise<Blob | null>} null if the browser cannot show the photo */
async function thumbnailOf(/** @type {File} */ photo) {
  try {
    const bitmap = await createImageBitmap(photo);
    const scale = Math.min(1, THUMBNAIL / Math.max(bitmap.width, bitmap.height));
    const canvas = make("canvas", { width: Math.ceil(bitmap.width * scale), height: Math.ceil(bitmap.height * scale) });
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.8));
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}
