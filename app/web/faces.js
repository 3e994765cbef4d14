/** Text about identified faces: an answer in plain words, and the figures behind it. */

import { make } from "./elements.js";
import { t } from "./i18n.js";
import { hintsOf, judgement, often, rate, similarity } from "./numbers.js";
import { clauses, sentences, series } from "./phrases.js";

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
  return verdict === "possible" ? t("answer.perhaps", { name: nameOf(first) }) : t("answer.unknownOne");
}

/**
 * @param {any} face
 * @param {Verdict} verdict
 * @returns {string} "This is Ada."
 */
export function answerOf(face, verdict) {
  const first = face.candidates[0];
  if (verdict === "match") return t("answer.is", { name: nameOf(first) });
  return verdict === "possible" ? t("answer.mayBe", { name: nameOf(first) }) : t("answer.nobody");
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
  if (!first && face.liveness?.verdict === "attack") return t("liveness.refused");
  if (!first) return t(gallery.people === 0 ? "answer.startHere" : "answer.resemblesNobody");
  const poor = face.low_quality && poorOf(face.quality);
  if (verdict === "unknown" && first.fpir >= COMMON) return sentences(t("answer.nobodyLike"), poor);
  if (isTaken) return t("answer.taken", { name: nameOf(first) });
  return sentences(verdict === "unknown" && t("answer.nearest", { name: nameOf(first) }), chanceOf(first, gallery), poor);
}

/** @returns {string} why a face of low quality is hard to recognize */
function poorOf(/** @type {any} */ quality) {
  const hints = clauses(...hintsOf(quality));
  return hints ? t("answer.hardBecause", { hints }) : t("answer.hard");
}

function chanceOf(/** @type {any} */ candidate, /** @type {Gallery} */ { people, calibration }) {
  if (candidate.fpir === null) return t("answer.noRates");
  const stranger = t(calibration?.impostors === "similar" ? "answer.strangerAlike" : "answer.stranger");
  const target = people === null ? t("answer.anybody") : t("answer.oneOf", { count: people });
  return t("answer.chance", { stranger, target, often: often(candidate.fpir, candidate.fpir_range, "lookups") });
}

/**
 * @param {any[]} faces
 * @param {Verdict[]} verdicts
 * @returns {string} the answer about a whole photo
 */
export function summaryOf(faces, verdicts) {
  if (faces.length === 1) return answerOf(faces[0], verdicts[0]);
  const all = /** @type {const} */ ([["match", "answer.known"], ["possible", "answer.possible"], ["unknown", "answer.unknown"]]);
  const counted = all.map(([verdict, key]) => ({ key, count: verdicts.filter((each) => each === verdict).length })).filter(({ count }) => count);
  const told = series(...counted.map(({ key, count }) => t(key, { count })));
  return faces.length ? t("answer.faces", { count: faces.length, verdicts: told }) : t("answer.noFace");
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
  const words = verdict === "unknown" ? (first ? t("figures.nearest", { name: nameOf(first) }) : t("figures.nobodyNear")) : t(`figures.${verdict}`);
  const similar = first && t("figures.similarity", { value: similarity(first.similarity) });
  return make(
    "li",
    { class: `face ${verdict}` },
    make("span", {}, `${at + 1}. `, make("b", {}, titleOf(face, verdict)), ` – ${words}`),
    make("span", {}, [similar, series(judgement(face.quality), face.low_quality && t("figures.tooPoor"))].filter(Boolean).join(" · ")),
    first ? make("span", {}, t("figures.rates", { fpir: rate(first.fpir, first.fpir_range), fmr: rate(first.fmr, first.fmr_range) })) : null,
    others.length ? make("small", {}, t("figures.then", { candidates: series(...others.slice(0, 3).map((each) => `${nameOf(each)} ${similarity(each.similarity)}`)) })) : null,
  );
}
