/** The quality of a stored face: the score, what is wrong, and each component. Imported faces have the score only. */

import { make } from "./elements.js";
import { t } from "./i18n.js";
import { componentName, hintsOf, quality, reasonsOf } from "./numbers.js";

/** @typedef {import("./numbers.js").Judged} Judged */

/** @returns {(Node | null)[]} */
export function faceQuality(/** @type {Judged | null} */ judged) {
  if (!judged) return [make("b", {}, t("quality.notKnown"))];
  const reasons = reasonsOf(judged);
  return [
    make("b", {}, t("quality.score", { score: quality(judged) })),
    make("meter", { value: judged.score, min: 0, max: 1, "aria-label": t("faces.quality") }),
    reasons ? make("span", { class: "reasons" }, reasons) : null,
    details(judged),
  ];
}

/** @returns {HTMLElement | null} advice and the components, worst first; null for a face with the score only */
function details(/** @type {Judged} */ judged) {
  const worstFirst = Object.entries(judged.components).sort(([, one], [, other]) => one - other);
  if (!worstFirst.length) return null;
  const hints = hintsOf(judged).map((hint) => make("p", { class: "hint" }, hint));
  return make("details", {}, make("summary", {}, t("faces.details")), ...hints, make("dl", { class: "components" }, ...worstFirst.map(([code, value]) => row(componentName(code), value))));
}

function row(/** @type {string} */ name, /** @type {number} */ value) {
  const meter = make("meter", { value, min: 0, max: 100, "aria-label": name });
  return make("div", {}, make("dt", {}, name), make("dd", {}, meter, make("span", {}, Math.round(value))));
}
