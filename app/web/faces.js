/** Text about identified faces, for the picture and for the list. */

import { make } from "./elements.js";
import { judgement, quality, rate, shortRate, similarity } from "./numbers.js";

const LONGEST = 24; // characters of a name on the picture

/** @typedef {"match" | "possible" | "unknown"} Verdict */

const nameOf = (/** @type {any} */ candidate) => candidate.name || candidate.identity_id;

const shortened = (/** @type {string} */ title) => (title.length > LONGEST ? `${title.slice(0, LONGEST - 1)}…` : title);

/**
 * @param {any} face of an answer of /identify
 * @param {Verdict} verdict
 */
export function titleOf(face, verdict) {
  const first = face.candidates[0];
  if (verdict === "match") return nameOf(first);
  return verdict === "possible" ? `perhaps ${nameOf(first)}` : "unknown";
}

/**
 * @param {any} face
 * @param {Verdict} verdict
 * @param {number} at
 * @returns {import("./drawing.js").Mark}
 */
export function markOf(face, verdict, at) {
  const first = face.candidates[0];
  const figures = first ? [similarity(first.similarity), first.fpir === null ? null : `FPIR ${shortRate(first.fpir, first.fpir_range)}`] : [];
  const judged = `q ${quality(face.quality.score)}`;
  return { box: face.box, tone: verdict, lines: [`${at + 1} ${shortened(titleOf(face, verdict))}`, [...figures, judged].filter(Boolean).join(" · ")] };
}

/**
 * @param {any} face
 * @param {Verdict} verdict
 * @param {number} at
 * @returns {HTMLLIElement}
 */
export function faceItem(face, verdict, at) {
  const [first, ...others] = face.candidates;
  const words = { match: "match", possible: "possible", unknown: first ? `nearest: ${nameOf(first)}` : "nobody near" };
  return make(
    "li",
    { class: `face ${verdict}` },
    make("span", {}, `${at + 1}. `, make("b", {}, titleOf(face, verdict)), ` – ${words[verdict]}`),
    make("span", {}, first ? `similarity ${similarity(first.similarity)} · ` : "", judgement(face.quality), face.low_quality ? ", too poor for a firm match" : ""),
    first ? make("span", {}, `strangers this similar to anyone here: ${rate(first.fpir, first.fpir_range)} (FPIR); to this person: ${rate(first.fmr, first.fmr_range)} (FMR)`) : null,
    others.length ? make("small", {}, `then ${others.slice(0, 3).map((each) => `${nameOf(each)} ${similarity(each.similarity)}`).join(", ")}`) : null,
  );
}
