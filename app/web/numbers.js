/** Numbers in readable form. */

const language = "en";
const two = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 });
const words = new Intl.NumberFormat(language, { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 2 });

/**
 * @param {number} value
 * @param {number} [digits]
 */
export const similarity = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");

/** @param {number} value 0..1 */
export const quality = (value) => value.toFixed(2);

/**
 * @param {number | null} value a share
 * @returns {string} "1.2 %", "1 in 12 million"
 */
export function rate(value) {
  if (value === null || value === undefined) return "not known";
  if (value >= 0.001) return `${two.format(value * 100)} %`;
  return value <= 1e-12 ? "under 1 in a trillion" : `1 in ${words.format(1 / value)}`;
}

/**
 * @param {number} value
 * @returns {string} the same in short form: "1.2%", "1:12M"
 */
export function shortRate(value) {
  if (value >= 0.001) return `${two.format(value * 100)}%`;
  return value <= 1e-12 ? "<1e-12" : `1:${short.format(1 / value)}`;
}

/**
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export const count = (value, one, many = `${one}s`) => `${value.toLocaleString(language)} ${value === 1 ? one : many}`;

/** @param {string} moment */
export const moment = (moment) => new Date(moment).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

/** @param {string} word a code: `too_small` */
export const plain = (word) => word.replaceAll("_", " ");

/**
 * @param {{score: number, reasons: string[]} | null} judged
 * @returns {string}
 */
export const judgement = (judged) => (judged ? `quality ${quality(judged.score)}${judged.reasons.length ? ` (${judged.reasons.map(plain).join(", ")})` : ""}` : "quality not known");
