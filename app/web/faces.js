/** Text about identified faces: an answer in plain words, and the figures behind it. */

import { make } from "./elements.js";
import { count, judgement, often, rate, similarity } from "./numbers.js";

const LONGEST = 24; // characters of a name on the picture
const COMMON = 0.5; // share of strangers from which on a resemblance means nothing
const SIGNS = { match: "✓", possible: "?", unknown: "" };

/** @typedef {"match" | "possible" | "unknown"} Verdict */
/** @typedef {{people: number | null, calibration: {impostors: string} | null}} Gallery `people`: null if not known */

/** @param {any} candidate */
export const nameOf = (candidate) => candidate.name || candidate.identity_id;

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
 * @returns {string} "This is Ada."
 */
export function answerOf(face, verdict) {
  const first = face.candidates[0];
  if (verdict === "match") return `This is ${nameOf(first)}.`;
  return verdict === "possible" ? `This may be ${nameOf(first)}.` : "This is nobody enrolled here.";
}

/**
 * @param {any} face
 * @param {Verdict} verdict
 * @param {Gallery} gallery
 * @param {boolean} isTaken whether another face of the photo is the first candidate
 * @returns {string} how far the answer can be trusted, and why
 */
export function reasonOf(face, verdict, gallery, isTaken) {
  const [first] = face.candidates;
  if (!first) return gallery.people === 0 ? "Nobody is enrolled yet. Start with this face." : "It resembles nobody.";
  const poor = face.low_quality ? ` The face is hard to recognise in this photo${face.quality.hints.length ? `: ${face.quality.hints.join("; ")}` : ""}.` : "";
  if (verdict === "unknown" && first.fpir >= COMMON) return `Nobody here looks like this face.${poor}`;
  if (isTaken) return `It resembles ${nameOf(first)}, but another face in this photo does so more.`;
  const nearest = verdict === "unknown" ? `Most like ${nameOf(first)}, but ${chanceOf(first, gallery, false)}` : chanceOf(first, gallery, true);
  return `${nearest}${poor}`;
}

function chanceOf(/** @type {any} */ candidate, /** @type {Gallery} */ { people, calibration }, /** @type {boolean} */ isSentence) {
  if (candidate.fpir === null) return `${isSentence ? "No" : "no"} error rates are known for this network.`;
  const stranger = `${isSentence ? "A" : "a"} stranger${calibration?.impostors === "similar" ? " of the same sex and origin" : ""}`;
  const one = people === null ? "somebody enrolled here" : people === 1 ? "the one person enrolled here" : `one of your ${count(people, "person", "people")}`;
  return `${stranger} would look this much like ${one} ${often(candidate.fpir, candidate.fpir_range, "lookups")}.`;
}

/**
 * @param {any[]} faces
 * @param {Verdict[]} verdicts
 * @returns {string} the answer about a whole photo
 */
export function summaryOf(faces, verdicts) {
  if (faces.length === 1) return answerOf(faces[0], verdicts[0]);
  const all = /** @type {const} */ ([["match", "known"], ["possible", "possible"], ["unknown", "unknown"]]);
  const counted = all.map(([verdict, word]) => [verdicts.filter((each) => each === verdict).length, word]).filter(([number]) => number);
  return faces.length ? `${count(faces.length, "face")}: ${counted.map(([number, word]) => `${number} ${word}`).join(", ")}` : "No face was found.";
}

/**
 * @param {any[]} faces
 * @param {Verdict[]} verdicts
 * @returns {import("./drawing.js").Mark[]}
 */
export function marksOf(faces, verdicts) {
  return faces.map((face, at) => {
    const words = [faces.length > 1 ? at + 1 : "", SIGNS[verdicts[at]], shortened(titleOf(face, verdicts[at]))];
    return { at, box: face.box, tone: verdicts[at], lines: [words.filter(Boolean).join(" ")] };
  });
}

/**
 * @param {any} face
 * @param {Verdict} verdict
 * @param {number} at
 * @returns {HTMLLIElement} similarity, quality, error rates and further candidates
 */
export function figuresItem(face, verdict, at) {
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
