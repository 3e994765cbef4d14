/** Findings that the user judged to be right: kept in this browser, by the random ids of the faces, for later checks. */

import { collection } from "./session.js";

const KEY = "arcid.judged";
const MOST = 2000;

/** @returns {string[]} */
function all() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return []; // edited by hand
  }
}

/** @returns {string} the name of a finding; other faces make it another one */
export const findingOf = (/** @type {string} */ kind, /** @type {(string | null | undefined)[]} */ faces) => [collection(), kind, ...faces.map(String).sort()].join(" ");

/** @param {string} finding */
export const isJudged = (finding) => all().includes(finding);

/** @param {string} finding */
export function judge(finding) {
  localStorage.setItem(KEY, JSON.stringify([...new Set([...all(), finding])].slice(-MOST)));
}

/** Forget what was judged about the collection in use. */
export function forgetJudged() {
  localStorage.setItem(KEY, JSON.stringify(all().filter((each) => !each.startsWith(`${collection()} `))));
}
