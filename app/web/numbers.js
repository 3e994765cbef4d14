/** Numbers in readable form. */

const language = "en";
const two = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 2 });

/**
 * @param {number} value
 * @param {number} [digits]
 */
export const similarity = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");

/** @param {number} value 0..1 */
export const quality = (value) => value.toFixed(2);

const oneIn = (/** @type {number} */ value) => {
  const number = Number((1 / value).toPrecision(2));
  return `1 in ${number >= 1e6 ? `${number / 1e6} million` : number.toLocaleString(language)}`;
};

/**
 * @param {number | null} value a share
 * @param {number[] | null} [range] in which the true one lies; from 0 if only an upper bound is known
 * @returns {string} "28 % to 34 %", "1 in 3,000 to 1 in 12,000", "below 1 in 10 million"
 */
export function rate(value, range) {
  if (value === null || value === undefined) return "not known";
  const [low, high] = range ?? [value, value];
  if (!low) return `below ${oneIn(high)}`;
  const inWords = (/** @type {number} */ each) => (value >= 0.01 ? `${two.format(each * 100)} %` : oneIn(each));
  return inWords(low) === inWords(high) ? inWords(low) : value >= 0.01 ? `${inWords(low)} to ${inWords(high)}` : `${inWords(high)} to ${inWords(low)}`;
}

/**
 * @param {number} value
 * @param {number[] | null} [range] as above
 * @returns {string} the number alone, in short form: "1.2%", "1:12K", "<1:10M"
 */
export function shortRate(value, range) {
  if (value >= 0.01) return `${two.format(value * 100)}%`;
  return range && !range[0] ? `<1:${short.format(1 / range[1])}` : `1:${short.format(1 / value)}`;
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
 * @param {{score: number, reasons: string[], hints: string[], components: Record<string, number>, worst: string | null} | null} judged
 * @returns {string} the score with its reasons, the worst component, and what to do
 */
export function judgement(judged) {
  if (!judged) return "quality not known";
  const reasons = judged.reasons.length ? ` (${judged.reasons.map(plain).join(", ")})` : "";
  const worst = judged.worst ? [`lowest: ${plain(judged.worst)} ${Math.round(judged.components[judged.worst])} of 100`] : [];
  return [`quality ${quality(judged.score)}${reasons}`, ...worst, ...judged.hints].join("; ");
}
