/** The verdict on a face's liveness, in words: whether a person is in front of the camera, or a print or a screen is. */

import { make } from "./elements.js";
import { t } from "./i18n.js";
import { series } from "./phrases.js";

/** @typedef {{verdict: "live" | "uncertain" | "attack", reasons: string[], calibration: string}} Liveness */

/**
 * @param {Liveness | null | undefined} liveness null if it was not checked
 * @returns {HTMLElement | null}
 */
export function livenessBadge(liveness) {
  return liveness ? make("span", { class: `liveness ${liveness.verdict}` }, livenessWords(liveness)) : null;
}

/** @returns {string} the verdict with its reasons, and whether its error rate is known */
export function livenessWords(/** @type {Liveness} */ { verdict, reasons, calibration }) {
  const words = t(`liveness.verdict_${verdict}`);
  const because = reasons.length ? t("liveness.because", { verdict: words, reasons: series(...reasons.map((each) => t(`liveness.reason_${each}`))) }) : words;
  return calibration === "uncalibrated" ? t("liveness.uncalibrated", { verdict: because }) : because;
}
