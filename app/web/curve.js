/** FMR and FPIR over the similarity, on a logarithmic scale: now, and thinner before adaptation. */

import { shape } from "./chart.js";
import { locale, t } from "./i18n.js";
import { percent } from "./numbers.js";

const SIZE = { width: 320, height: 210, left: 38, right: 8, top: 10, bottom: 28 };
const FLOOR = -7; // powers of ten: no smaller rate is stated
const FROM = -0.2;

const x = (/** @type {number} */ similarity) => SIZE.left + ((similarity - FROM) / (1 - FROM)) * (SIZE.width - SIZE.left - SIZE.right);
const y = (/** @type {number} */ rate) => SIZE.top + (Math.max(Math.log10(Math.max(rate, 1e-300)), FLOOR) / FLOOR) * (SIZE.height - SIZE.top - SIZE.bottom);

const line = (/** @type {any[]} */ points, /** @type {string} */ rate, /** @type {string} */ name) => {
  const seen = points.filter((each, index) => each[rate] > 10 ** FLOOR || (points[index - 1]?.[rate] ?? 0) > 10 ** FLOOR);
  return shape("polyline", { class: name, points: seen.map((each) => `${x(each.similarity).toFixed(1)},${y(each[rate]).toFixed(1)}`).join(" ") });
};

/**
 * @param {HTMLElement} host
 * @param {import("./decision.js").Point[]} points
 * @param {number} at the threshold
 * @param {{fmr: number, fpir: number} | null} rates there
 */
export function drawCurve(host, points, at, rates) {
  const svg = shape("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, "aria-hidden": "true", focusable: "false" });
  for (const power of [0, -2, -4, -6]) {
    const height = y(10 ** power);
    svg.append(shape("line", { class: "grid", x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: height, y2: height }));
    const text = power < -4 ? `1e${power}`.replace("-", "\u2212") : percent(10 ** power);
    svg.append(shape("text", { x: SIZE.left - 4, y: height + 4, "text-anchor": "end" }, text));
  }
  for (const similarity of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(shape("text", { x: x(similarity), y: SIZE.height - 10, "text-anchor": similarity === 1 ? "end" : "middle" }, similarity.toLocaleString(locale)));
  }
  const mark = x(at);
  svg.append(shape("line", { class: "at", x1: mark, x2: mark, y1: SIZE.top, y2: SIZE.height - SIZE.bottom }));
  for (const name of /** @type {const} */ (["fpir", "fmr"])) {
    if (points[0]?.[`fitted_${name}`] != null) svg.append(line(points, `fitted_${name}`, `${name} before`));
    svg.append(line(points, name, name));
    if (rates) svg.append(shape("circle", { class: `${name}-dot`, cx: mark, cy: y(rates[name]), r: 4 }));
  }
  if (points.length) {
    svg.append(shape("text", { class: "fmr-text", x: SIZE.width - 76, y: SIZE.top + 14 }, "FMR"));
    svg.append(shape("text", { class: "fpir-text", x: SIZE.width - 42, y: SIZE.top + 14 }, "FPIR"));
  } else {
    svg.append(shape("text", { x: SIZE.width / 2, y: SIZE.height / 2, "text-anchor": "middle" }, t("rates.notCalibrated")));
  }
  host.replaceChildren(svg);
}
