/** Numbers in readable form. */

import { locale } from "./i18n.js";

const LEAST = 1e-7; // no smaller rate is stated
const OFTEN = 0.05; // from here on a percentage is plainer than "once in"

/**
 * @param {Intl.NumberFormatOptions} options
 * @returns {(value: number) => string}
 */
function format(options) {
  const made = new Intl.NumberFormat(locale, options);
  return (value) => made.format(value);
}

const whole = format({ maximumFractionDigits: 0 });
const percent = format({ style: "percent", maximumSignificantDigits: 2 });
const short = format({ notation: "compact", maximumSignificantDigits: 2 });
const long = format({ notation: "compact", compactDisplay: "long", maximumSignificantDigits: 2 });
const listed = new Intl.ListFormat(locale);
const inWhole = (/** @type {number} */ value) => (value >= 1e6 ? long(value) : whole(value));

/**
 * @param {number} value
 * @param {number} [digits]
 */
export const similarity = (value, digits = 2) => format({ minimumFractionDigits: digits, maximumFractionDigits: digits })(value).replace("-", "\u2212");

/** @param {number | {score: number}} judged 0..1, or a quality with that score */
export const quality = (judged) => similarity(judged?.score ?? judged);

const oneIn = (/** @type {number} */ value) => `1 in ${inWhole(Number((1 / value).toPrecision(2)))}`;

/**
 * @param {number | null} value a share
 * @param {number[] | null} [range] in which the true one lies; from 0 if only an upper bound is known
 * @returns {string} "28% to 34%", "1 in 3,000 to 1 in 12,000", "below 1 in 10 million"
 */
export function rate(value, range) {
  if (value === null || value === undefined) return "not known";
  const [low, high] = range ?? [value, value];
  if (!low) return `below ${oneIn(Math.max(high, LEAST))}`;
  const inWords = (/** @type {number} */ each) => (value >= 0.01 ? percent(each) : oneIn(each));
  return inWords(low) === inWords(high) ? inWords(low) : value >= 0.01 ? `${inWords(low)} to ${inWords(high)}` : `${inWords(high)} to ${inWords(low)}`;
}

/**
 * @param {number} value a share
 * @param {number[] | null} range as above
 * @param {string} cases "lookups"
 * @returns {string} "about once in 40,000 lookups", "less than once in 10 million lookups", "in about 30% of lookups"
 */
export function often(value, range, cases) {
  const [low, high] = range ?? [value, value];
  const stated = low ? value : Math.max(high, LEAST);
  const words = low ? "about" : "less than";
  if (stated >= OFTEN) return `in ${words} ${percent(stated)} of ${cases}`;
  const digits = 10 ** Math.floor(Math.log10(1 / stated) + 1e-9);
  const times = ((low ? Math.round : Math.floor)(1 / stated / digits + 1e-9)) * digits;
  return `${words} once in ${inWhole(times)} ${cases}`;
}

/**
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export const count = (value, one, many = `${one}s`) => `${whole(value)} ${value === 1 ? one : many}`;

/** @param {string[]} names */
export const listOf = (names) => listed.format(names);

/** @param {string} moment */
export const moment = (moment) => new Date(moment).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });

/** @param {string} word a code: `too_small` */
export const plain = (word) => word.replaceAll("_", " ");

/**
 * @param {{score: number, reasons: string[], hints: string[], components: Record<string, number>, worst: string | null} | null} judged
 * @returns {string} the score with its reasons, the worst component, and what to do
 */
export function judgement(judged) {
  if (!judged) return "quality not known";
  const reasons = judged.reasons.length ? ` (${judged.reasons.map(plain).join(", ")})` : "";
  const worst = judged.worst ? [`lowest: ${plain(judged.worst)} ${Math.round(judged.components[judged.worst])} of 100`] : [];
  return [`quality ${quality(judged.score)}${reasons}`, ...worst, ...judged.hints].join("; ");
}
