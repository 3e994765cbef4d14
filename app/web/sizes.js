/** Bytes, speeds and times in the format of the user's region. */

import { locale } from "./i18n.js";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

function scaled(/** @type {number} */ bytes, suffix = "") {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  const options = { style: "unit", unit: UNITS[power] + suffix, maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(locale, /** @type {Intl.NumberFormatOptions} */ (options)).format(bytes / 1000 ** power);
}

/** @returns {string} "81.4 MB" */
export const bytes = (/** @type {number} */ value) => scaled(value);

/** @returns {string} "1.2 MB/s" */
export const speed = (/** @type {number} */ value) => scaled(value, "-per-second");

/** @returns {string} "3 minutes" */
export function duration(/** @type {number} */ seconds) {
  const [unit, value] = seconds < 60 ? ["second", seconds] : seconds < 5400 ? ["minute", seconds / 60] : ["hour", seconds / 3600];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(Math.ceil(value));
}
