/** The answer about a photo: one sentence, then each face with its reason and what can follow. */

import { button, make } from "./elements.js";
import { faceCanvas } from "./facephoto.js";
import { nameOf, reasonOf, summaryOf } from "./faces.js";
import { rich, t } from "./i18n.js";
import { livenessBadge } from "./liveness.js";
import { beginnings } from "./newcomer.js";
import { portrait } from "./portrait.js";

/** @typedef {import("./newcomer.js").Scene & {ignored: Set<number>, calibration: any, isLive: boolean}} Answered */

/**
 * @typedef {object} View
 * @property {import("./faces.js").Verdict[]} verdicts
 * @property {number | null} people number of enrolled people
 * @property {(enrolled: import("./newcomer.js").Enrolled) => void} onEnrolled
 * @property {() => void} onIgnored called when a face is ignored, or no face is any more
 */

/**
 * @param {Answered} scene
 * @param {View} view
 * @returns {HTMLElement[]}
 */
export function answerElements(scene, view) {
  const { faces, ignored } = scene;
  const kept = faces.map((_, at) => at).filter((at) => !ignored.has(at));
  const summary = make("h3", { tabIndex: -1 }, summaryOf(kept.map((at) => faces[at]), kept.map((at) => view.verdicts[at])));
  if (!faces.length) return [summary, make("p", { class: "hint" }, t("answer.noFaceHint"))];
  const list = make("ul", { class: "answers", "aria-label": t("answer.list") }, ...kept.map((at) => item(scene, at, view)));
  return [summary, make("div", {}, list, ignored.size ? unignore(ignored, view) : null)];
}

function unignore(/** @type {Set<number>} */ ignored, /** @type {View} */ { onIgnored }) {
  const again = button(t("answer.showAgain"), () => (ignored.clear(), onIgnored()), "small quiet");
  return make("div", { class: "row" }, make("span", { class: "hint" }, t("answer.ignored", { count: ignored.size })), again);
}

function item(/** @type {Answered} */ scene, /** @type {number} */ at, /** @type {View} */ view) {
  const { faces, source, size, calibration, ignored, isLive } = scene;
  const [face, verdict] = [faces[at], view.verdicts[at]];
  const [first] = face.candidates;
  const isTaken = verdict === "unknown" && first && faces.some((other, place) => place !== at && view.verdicts[place] === "match" && other.candidates[0].identity_id === first.identity_id);
  const sides = make("span", { class: "both" }, source ? faceCanvas(source, size, face.box) : null, verdict === "unknown" ? null : portrait(first));
  const told = make("div", { class: "told" }, faces.length > 1 ? heading(face, verdict, at) : null, make("span", {}, reasonOf(face, verdict, { people: view.people, calibration }, isTaken)), livenessBadge(face.liveness));
  if (verdict !== "match" && !isLive) {
    const onIgnore = () => (ignored.add(at), view.onIgnored());
    told.append(beginnings(scene, at, { onEnrolled: view.onEnrolled, onIgnore }));
  }
  return make("li", { class: `face ${verdict}`, "data-face": at, "data-box": face.box.join(" "), tabIndex: -1 }, sides, told);
}

function heading(/** @type {any} */ face, /** @type {string} */ verdict, /** @type {number} */ at) {
  if (verdict === "unknown") return make("span", {}, `${at + 1}. `, make("b", {}, t("answer.unknownTitle")));
  return make("span", {}, `${at + 1}. `, ...rich(verdict === "match" ? "answer.is" : "answer.mayBe", { name: make("b", {}, nameOf(face.candidates[0])) }));
}
