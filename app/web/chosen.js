/** Photos that a user chose to import: files, a folder, or a ZIP; each with the path `person/photo.jpg`. */

import { entriesOf } from "./unzip.js";

const PHOTOS = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic)$/i;
const SKIPPED = /^(\..*|__macosx|@eadir|#recycle|@recycle|\$recycle\.bin)$/i;

/** @typedef {{path: string, person: string, blob: () => Promise<Blob>, size: number}} Photo */

/**
 * @typedef {object} Choice
 * @property {Photo[]} photos sorted by path
 * @property {number} ignored files that are not photos
 * @property {Blob | null} zip the chosen ZIP, which is uploaded as it is
 * @property {boolean} isFlat whether no photo is in a folder
 */

/** @typedef {{path: string, file: File}} Found */

/** @returns {Found[]} with the paths below the chosen folder */
export const filesOf = (/** @type {FileList | File[]} */ files) => [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/**
 * @param {DataTransfer} dropped
 * @returns {Promise<Found[]>}
 */
export async function droppedFiles(dropped) {
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean); // before the first await
  if (!entries.length) return filesOf(dropped.files);
  return (await Promise.all(entries.map((entry) => below(entry)))).flat();
}

/** @returns {Promise<Found[]>} */
async function below(/** @type {any} */ entry) {
  if (entry.isFile) return [{ path: entry.fullPath.replace(/^\//, ""), file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most a hundred at once
    if (!some.length) return found;
    for (const each of some) found.push(...(await below(each)));
  }
}

const isSkipped = (/** @type {string} */ path) => path.split("/").some((part) => SKIPPED.test(part));

/**
 * @param {Found[]} found
 * @returns {Promise<Choice>}
 */
export async function choiceOf(found) {
  const [only] = found;
  if (found.length === 1 && /\.zip$/i.test(only.path)) return zipChoice(only.file);
  const photos = found.filter(({ path }) => PHOTOS.test(path) && !isSkipped(path));
  const made = photos.map(({ path, file }) => ({ path, person: personOf(path), blob: async () => file, size: file.size }));
  return { photos: sorted(made), ignored: found.length - photos.length, zip: null, isFlat: photos.every(({ path }) => !path.includes("/")) };
}

async function zipChoice(/** @type {File} */ zip) {
  const entries = (await entriesOf(zip)) ?? [];
  const inside = entries.filter(({ path }) => PHOTOS.test(path) && !isSkipped(path));
  const photos = inside.map((each) => ({ ...each, person: personOf(each.path), size: 0 }));
  return { photos: sorted(photos), ignored: 0, zip, isFlat: inside.length > 0 && inside.every(({ path }) => path.split("/").length < 2) };
}

const sorted = (/** @type {Photo[]} */ photos) => photos.sort((one, two) => (one.path < two.path ? -1 : 1));

/** The name of the folder of a photo; without one, the photo's own name. */
export function personOf(/** @type {string} */ path, isFlat = false) {
  const parts = path.split("/");
  const name = parts[parts.length - 1];
  return parts.length > 1 && !isFlat ? parts[parts.length - 2] : name.replace(/\.[^.]*$/, "") || name;
}

/**
 * @param {Photo[]} photos
 * @param {boolean} isFlat the file's name is the person, not the folder's
 * @returns {Photo[]} as `person/photo.jpg`, each path once
 */
export function arranged(photos, isFlat) {
  const taken = new Set();
  return photos.map((photo) => {
    const person = personOf(photo.path, isFlat);
    const name = photo.path.split("/").pop() ?? "";
    let path = `${person}/${name}`;
    for (let copy = 2; taken.has(path); copy++) path = `${person}/${copy}-${name}`;
    taken.add(path);
    return { ...photo, path, person };
  });
}
