/** The threshold slider with the calibration's curves: error rates and matches of a threshold. */

import { call } from "./api.js";
import { drawCurve } from "./curve.js";
import { ratesAt } from "./decision.js";
import { byId, make } from "./elements.js";
import { t } from "./i18n.js";
import { moment, rate, similarity } from "./numbers.js";
import { sentences } from "./phrases.js";
import { attempt, showProblem } from "./problems.js";
import { saveRule } from "./rule.js";
import { collection, session } from "./session.js";
import { openTab } from "./tabs.js";

/**
 * @typedef {object} Threshold
 * @property {() => number | null} value null if the collection's own rule decides
 * @property {() => Promise<void>} load read the curve from the service
 * @property {() => number | null} people number of enrolled people; null if not known
 * @property {(matched: string | null) => void} showMatched set the number of matched faces
 */

/**
 * @param {any} known the answer of /calibration
 * @returns {string} on whom the rates were measured, and how far the curve moved
 */
export function measuredOn({ calibration, move }) {
  if (!calibration) return "";
  const about = calibration.impostors === "similar" && t("threshold.alike");
  const { people: count, source, adapted } = calibration;
  if (!adapted || !move) return sentences(t("threshold.measured", { count, source }), about);
  const alone = t("threshold.people", { count: adapted.people });
  const people = move.probes ? t("threshold.peopleAndProbes", { people: alone, count: move.probes }) : alone;
  const [before, after] = [similarity(move.threshold_before, 3), similarity(move.threshold_after, 3)];
  return sentences(
    t("threshold.adapted", { count, source, people, version: adapted.version, at: moment(adapted.at) }),
    t("threshold.needed", { number: 10000, before, after }),
    !move.is_converged && t("threshold.moving"),
    t("threshold.before"),
    about,
  );
}

/**
 * @param {() => void} onChange called when the slider moves
 * @param {() => void} onLoad called when the number of people is known
 * @returns {Threshold}
 */
export function startThreshold(onChange, onLoad) {
  const slider = byId("threshold");
  const reset = byId("threshold-reset");
  const save = byId("threshold-save");
  /** @type {any} */
  let known = null;
  let isMoved = false;
  /** @type {string | null} */
  let matched = null;

  const draw = () => {
    if (!known) return;
    const at = isMoved ? Number(slider.value) : known.identification.threshold;
    const rates = ratesAt(known.points, at);
    byId("threshold-value").textContent = similarity(at, 3);
    const [fmr, fpir] = rates ? [rate(rates.fmr, rates.fmr_range), rate(rates.fpir, rates.fpir_range)] : [null, null];
    slider.setAttribute("aria-valuetext", t(rates ? "threshold.spokenRates" : "threshold.spoken", { similarity: similarity(at, 3), fmr, fpir }));
    const facts = [
      [t("threshold.fmr"), fmr ?? t("rates.notCalibrated")],
      [t("threshold.fpir", { count: known.identities }), !known.identities ? t("threshold.nobody") : (fpir ?? t("rates.notCalibrated"))],
      [t("threshold.matched"), matched ?? "–"],
    ];
    byId("threshold-facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    drawCurve(byId("curve"), known.points, at, rates);
    byId("threshold-people").textContent = measuredOn(known);
    reset.disabled = !isMoved;
    save.disabled = !isMoved;
  };

  async function load() {
    const asked = collection();
    try {
      const answer = await call("GET", "calibration", { query: { collection: asked } });
      if (asked !== collection()) return;
      known = answer;
      slider.disabled = false;
      if (!isMoved) slider.value = known.identification.threshold;
      draw();
      onLoad();
    } catch (error) {
      known = null;
      slider.disabled = true;
      byId("curve").replaceChildren();
      byId("threshold-facts").replaceChildren();
      byId("threshold-people").textContent = "";
      if (error?.status === 403) byId("curve").append(make("p", { class: "hint" }, t("threshold.notAllowed")));
      else showProblem(error, () => void load());
    }
  }

  slider.oninput = () => {
    isMoved = true;
    byId("threshold-saved").textContent = "";
    onChange();
    draw();
  };
  const restore = () => {
    isMoved = false;
    slider.value = known.identification.threshold;
    slider.focus();
    onChange();
    draw();
  };
  reset.onclick = restore;
  save.onclick = () => void attempt(save, async () => {
    const at = Number(slider.value);
    if (!(await saveRule(at, ratesAt(known.points, at)))) return;
    await load();
    restore();
    byId("threshold-saved").textContent = t("threshold.saved", { value: similarity(known.identification.threshold, 3) });
  });
  session.addEventListener("collection", () => (isMoved = false));
  session.addEventListener("people", () => openTab() === "identify" && void load());
  return {
    value: () => (isMoved ? Number(slider.value) : null),
    load,
    people: () => known?.identities ?? null,
    showMatched: (text) => {
      matched = text;
      draw();
    },
  };
}
