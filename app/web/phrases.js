/** Several texts as one, in the page's language. */

import { locale, t } from "./i18n.js";

const named = new Intl.ListFormat(locale);

/** @typedef {(string | null | undefined | false)[]} Texts empty ones are left out */

/** @param {string[]} names */
export const listOf = (names) => named.format(names);

/** @returns {string} "4 known, 2 unknown" */
export const series = (/** @type {Texts} */ ...texts) => joined("page.listed", texts);

/** @returns {string} "quality 0.41; the face is too dark: add light" */
export const clauses = (/** @type {Texts} */ ...texts) => joined("page.also", texts);

/** @returns {string} sentences after one another */
export const sentences = (/** @type {Texts} */ ...texts) => joined("page.sentences", texts);

function joined(/** @type {string} */ key, /** @type {Texts} */ texts) {
  const there = /** @type {string[]} */ (texts.filter(Boolean));
  return there.length ? there.reduce((first, second) => t(key, { first, second })) : "";
}
