/** Numbers and dates in readable form. */

import { isKnown, locale, t } from "./i18n.js";
import { clauses, series } from "./phrases.js";

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
export const percent = format({ style: "percent", maximumSignificantDigits: 2 });
const long = format({ notation: "compact", compactDisplay: "long", maximumSignificantDigits: 2 });
const inWhole = (/** @type {number} */ value) => (value >= 1e6 ? long(value) : whole(value));

/** @returns {string} "7 seconds" */
export const seconds = format({ style: "unit", unit: "second", unitDisplay: "long", maximumFractionDigits: 0 });

/**
 * @param {number} value
 * @param {number} [digits]
 */
export const similarity = (value, digits = 2) => format({ minimumFractionDigits: digits, maximumFractionDigits: digits })(value).replace("-", "\u2212");

/** @param {number | {score: number}} judged 0..1, or a quality with that score */
export const quality = (judged) => similarity(judged?.score ?? judged);

const oneIn = (/** @type {number} */ value) => t("rates.oneIn", { number: inWhole(Number((1 / value).toPrecision(2))) });

/**
 * @param {number | null} value a share
 * @param {number[] | null} [range] in which the true one lies; from 0 if only an upper bound is known
 * @returns {string} "28% to 34%", "1 in 3,000 to 1 in 12,000", "below 1 in 10 million"
 */
export function rate(value, range) {
  if (value === null || value === undefined) return t("rates.notKnown");
  const [least, most] = range ?? [value, value];
  if (!least) return t("rates.below", { rate: oneIn(Math.max(most, LEAST)) });
  const ends = value >= 0.01 ? [percent(least), percent(most)] : [oneIn(most), oneIn(least)];
  return ends[0] === ends[1] ? ends[0] : t("rates.range", { low: ends[0], high: ends[1] });
}

/** @returns {number[] | null} the range of a rate that is stated without one: the smallest is an upper bound */
export const boundOf = (/** @type {number} */ rate) => (rate > LEAST ? null : [0, rate]);

/**
 * @param {number} value a share
 * @param {number[] | null} range as above
 * @param {"lookups" | "comparisons"} cases
 * @returns {string} "about once in 40,000 lookups", "less than once in 10 million lookups", "in about 30% of lookups"
 */
export function often(value, range, cases) {
  const [low, high] = range ?? [value, value];
  const stated = low ? value : Math.max(high, LEAST);
  if (stated >= OFTEN) return t(low ? `rates.${cases}Share` : `rates.${cases}ShareBelow`, { share: percent(stated) });
  const digits = 10 ** Math.floor(Math.log10(1 / stated) + 1e-9);
  const count = (low ? Math.round : Math.floor)(1 / stated / digits + 1e-9) * digits;
  return t(low ? `rates.${cases}About` : `rates.${cases}Below`, { count, times: inWhole(count) });
}

const dates = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

/** @param {string} moment */
export const moment = (moment) => dates.format(new Date(moment));

/** @param {string} word a code: `too_small` */
export const plain = (word) => word.replaceAll("_", " ");

const worded = (/** @type {string} */ key, /** @type {string} */ code) => (isKnown(key) ? t(key) : plain(code));

/** @typedef {{score: number, reasons: string[], hints: string[], components: Record<string, number>, worst: string | null}} Judged */

/** @returns {string[]} what to do about a low quality; the service has one hint for each reason */
export const hintsOf = (/** @type {Judged} */ { reasons, hints }) => hints.map((hint, at) => (isKnown(`quality.hint_${reasons[at]}`) ? t(`quality.hint_${reasons[at]}`) : hint));

/** @returns {string} what is wrong with a face: "blurred, dark"; empty if nothing is */
export const reasonsOf = (/** @type {Judged} */ { reasons }) => series(...reasons.map((each) => worded(`quality.reason_${each}`, each)));

/** @returns {string} a component of the quality in words */
export const componentName = (/** @type {string} */ code) => worded(`quality.component_${code}`, code);

/**
 * @param {Judged | null} judged
 * @returns {string} the score with its reasons, the worst component, and what to do
 */
export function judgement(judged) {
  if (!judged) return t("quality.notKnown");
  const reasons = reasonsOf(judged);
  const score = t(reasons ? "quality.reasons" : "quality.score", { score: quality(judged.score), reasons });
  const { worst } = judged;
  const lowest = worst && t("quality.lowest", { component: componentName(worst), value: Math.round(judged.components[worst]) });
  return clauses(score, lowest, ...hintsOf(judged));
}
