import { blobOf, listOf, urlOf } from "./photos.js";
import type { PhotosInput } from "./photos.js";

export type Fields = Readonly<Record<string, unknown>>;
/** Body of a request: JSON, a form with files, or bytes. */
export type Body = { json: Fields } | { form: FormData } | { bytes: Blob };

/**
 * Return a body with photos: JSON if all of them are URLs, otherwise a form.
 *
 * Throws a TypeError if a field has files and URLs, and the errors of `blobOf`.
 */
export async function photoBody(fields: Fields, photos: Record<string, PhotosInput | undefined>): Promise<Body> {
  const form = new FormData();
  const urls: Record<string, string | string[]> = {};
  let hasFiles = false;
  for (const [name, value] of Object.entries(photos)) {
    const list = value === undefined ? [] : listOf(value);
    const found = list.map(urlOf).filter((url) => url !== null);
    if (found.length && found.length < list.length) throw new TypeError("pass either files or URLs, not both");
    if (found.length) {
      const [first = ""] = found;
      if (name === "photos") urls["photo_urls"] = found;
      else urls[`${name}_url`] = found.length > 1 ? found : first;
      continue;
    }
    for (const each of list) {
      append(form, name, await blobOf(each));
      hasFiles = true;
    }
  }
  return hasFiles ? { form: filled(form, { ...fields, ...urls }) } : { json: { ...fields, ...urls } };
}

/** Return a form with a file. */
export function fileBody(fields: Fields, file: Blob): Body {
  return formBody(fields, { file: [file] });
}

/** Return a form with one or more files for each name. */
export function formBody(fields: Fields, files: Record<string, readonly Blob[]>): Body {
  const form = new FormData();
  for (const [name, several] of Object.entries(files)) for (const each of several) append(form, name, each);
  return { form: filled(form, fields) };
}

/** Return a query string, with its question mark, of all members that have a value. */
export function queryOf(values: Fields): string {
  const known = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return known.length ? `?${new URLSearchParams(known.map(([name, value]) => [name, text(value)]))}` : "";
}

/** Fill names and ids into a path; slashes and dots in them are encoded. Throws a TypeError if one is empty. */
export function path(template: string, parts: Record<string, string>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = parts[name];
    if (!value) throw new TypeError(`${name} must not be empty`);
    if (value === "." || value === "..") return value.replaceAll(".", "%2E"); // not the current or parent folder
    return encodeURIComponent(value);
  });
}

/** Append a file. Its name is not sent, because names of files often contain names of people. */
function append(form: FormData, field: string, file: Blob): void {
  form.append(field, file, field);
}

function filled(form: FormData, fields: Fields): FormData {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    const isSeveral = name.endsWith("_url") || name.endsWith("_urls") || name === "attributes";
    for (const each of isSeveral && Array.isArray(value) ? value : [value]) form.append(name, text(each));
  }
  return form;
}

function text(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "string" ? value : JSON.stringify(value);
}
