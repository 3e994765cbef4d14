/** Tables, and files to save. */

import { make } from "./elements.js";
import { locale } from "./i18n.js";

/**
 * @param {string} caption for screen readers
 * @param {string[]} heads
 * @param {(string | Node)[][]} rows the first cell of each is its heading
 * @returns {HTMLElement} a table that scrolls sideways where it is too wide
 */
export function tableOf(caption, heads, rows) {
  const head = make("tr", {}, ...heads.map((each) => make("th", { scope: "col" }, each)));
  const lines = rows.map(([first, ...others]) => make("tr", {}, make("th", { scope: "row" }, first), ...others.map((each) => make("td", {}, each))));
  return make("div", { class: "table", tabIndex: 0, role: "region", "aria-label": caption }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
}

/**
 * @param {string} name
 * @param {Blob} content
 */
export function saveFile(name, content) {
  const address = URL.createObjectURL(content);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 0);
}

/** @returns {string} RFC 4180; each line is a list of cells */
export function csvOf(/** @type {unknown[][]} */ lines) {
  const cell = (/** @type {unknown} */ value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

/** @returns {string} like "12 MB" */
export function sizeOf(/** @type {number} */ bytes) {
  const at = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  return `${(bytes / 1000 ** at).toLocaleString(locale, { maximumSignificantDigits: 3 })} ${["B", "kB", "MB", "GB"][at]}`;
}
