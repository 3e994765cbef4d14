/** The view of calibration: the error rates that a collection uses, before and after it adapted to its own people. */

import { call } from "./api.js";
import { allCollections } from "./collections.js";
import { drawCurve } from "./curve.js";
import { ratesAt } from "./decision.js";
import { make } from "./elements.js";
import { t } from "./i18n.js";
import { moment, rate, similarity } from "./numbers.js";
import { may } from "./account.js";
import { collection } from "./session.js";
import { tableOf } from "./tables.js";
import { addressOf, show } from "./tabs.js";
import { measuredOn } from "./threshold.js";

const RATES = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/** @type {import("./admin.js").View} */
export async function showCalibration(host, about, signal) {
  if (!about) return show("admin", `calibration/${collection()}`, true);
  const names = may("manage") ? (await allCollections()).filter((each) => each.is_usable).map((each) => each.name) : [];
  const known = await call("GET", "calibration", { query: { collection: about }, signal });
  if (signal.aborted) return;
  const which = make("select", { "aria-label": t("calibration.which") }, ...[...new Set([...names, about])].map((each) => make("option", { value: each, selected: each === about }, each)));
  which.onchange = () => show("admin", `calibration/${which.value}`);
  const curve = make("div", { class: "curve" });
  drawCurve(curve, known.points, known.identification.threshold, ratesAt(known.points, known.identification.threshold));
  host.replaceChildren(
    make("div", { class: "view-head" }, make("h2", {}, t("admin.calibration")), which),
    make("p", { class: "hint" }, t("calibration.about")),
    make("div", { class: "columns even" },
      make("section", { class: "card" }, make("h3", {}, t("calibration.curves")), curve, make("p", { class: "hint" }, measuredOn(known))),
      make("section", { class: "card" }, make("h3", {}, t("calibration.adaptation")), adaptation(known), make("h3", {}, t("calibration.thresholds")), thresholds(known))),
    make("p", {}, make("a", { href: addressOf("identify", "", about) }, t("calibration.try"))),
  );
}

/** From whom the curve was adapted, when, and how far it moved. */
function adaptation(/** @type {any} */ { calibration, move, faces, identities }) {
  const adapted = calibration?.adapted;
  if (!adapted || !move) return make("p", { class: "hint" }, t("calibration.not_adapted"));
  const facts = [
    [t("calibration.version"), String(adapted.version)],
    [t("calibration.at"), moment(adapted.at)],
    [t("calibration.from_people"), `${adapted.people}`],
    [t("calibration.from_probes"), `${move.probes}`],
    [t("calibration.enrolled"), t("calibration.enrolled_now", { people: identities, faces })],
    [t("calibration.threshold"), `${similarity(move.threshold_before, 3)} → ${similarity(move.threshold_after, 3)}`],
    [t("calibration.state"), t(move.is_converged ? "calibration.settled" : "calibration.moving")],
  ];
  return make("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** The similarity that each false match rate needs, by both curves. */
function thresholds(/** @type {any} */ { points, move }) {
  const needed = (/** @type {string} */ curve, /** @type {number} */ wanted) => points.find((/** @type {any} */ each) => each[curve] !== null && each[curve] <= wanted)?.similarity;
  const rows = RATES.map((wanted) => [rate(wanted, null), ...(move ? ["fitted_fmr", "fmr"] : ["fmr"]).map((curve) => (needed(curve, wanted) === undefined ? "–" : similarity(needed(curve, wanted))))]);
  return tableOf(t("calibration.thresholds"), [t("calibration.fmr"), ...(move ? [t("calibration.shipped")] : []), t("calibration.now")], rows);
}
