/** Charts over time: stacked bars, or lines with gaps. The table behind each has the same figures. */

import { make } from "./elements.js";
import { t } from "./i18n.js";
import { tableOf } from "./tables.js";

const SVG = "http://www.w3.org/2000/svg";
const PLOT = { height: 190, right: 6, top: 10, bottom: 26 };
const DIGIT = 7; // pixels, about
const LEAST_PER_LABEL = 76; // pixels

/** @typedef {{name: string, tone: string, values: (number | null)[]}} Series `tone`: a class of admin.css */

/**
 * @param {object} wishes
 * @param {string} wishes.title
 * @param {"bars" | "lines"} wishes.kind bars are stacked
 * @param {string[]} wishes.labels of the times, as on the axis
 * @param {string[]} wishes.times in full, for the table
 * @param {Series[]} wishes.series
 * @param {(value: number) => string} wishes.format
 * @returns {HTMLElement}
 */
export function chart(wishes) {
  const { title, times, series, format } = wishes;
  const plot = make("div", { class: "plot" });
  const legend = series.length > 1 ? make("ul", { class: "legend", "aria-hidden": "true" }, ...series.map((each) => make("li", { class: each.tone }, each.name))) : null;
  const cells = (/** @type {number} */ at) => [times[at], ...series.map((each) => (each.values[at] === null ? "–" : format(/** @type {number} */ (each.values[at]))))];
  const rows = times.map((_, at) => cells(at)).filter((_, at) => series.some((each) => each.values[at]));
  const table = rows.length ? tableOf(title, [t("chart.time"), ...series.map((each) => each.name)], rows.reverse()) : make("p", { class: "hint" }, t("chart.nothing"));
  const figure = make("figure", { class: "card chart" }, make("figcaption", {}, make("h3", {}, title), legend), plot, make("details", {}, make("summary", {}, t("chart.table")), table));
  new ResizeObserver(() => draw(plot, wishes)).observe(plot);
  return figure;
}

function draw(/** @type {HTMLElement} */ host, /** @type {Parameters<typeof chart>[0]} */ { kind, labels, series, format }) {
  const width = host.clientWidth;
  if (!width || host.dataset.width === String(width)) return;
  host.dataset.width = String(width);
  const top = highest(kind === "bars" ? labels.map((_, at) => series.reduce((sum, each) => sum + (each.values[at] ?? 0), 0)) : series.flatMap((each) => each.values.map((value) => value ?? 0)));
  const marks = [0, top / 2, top];
  const left = DIGIT * Math.max(...marks.map((each) => format(each).length)) + 10;
  const inner = { width: width - left - PLOT.right, height: PLOT.height - PLOT.top - PLOT.bottom };
  const step = inner.width / Math.max(labels.length, 1);
  const y = (/** @type {number} */ value) => PLOT.top + inner.height * (1 - value / top);
  const x = (/** @type {number} */ at) => left + step * at;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${PLOT.height}`, height: PLOT.height, "aria-hidden": "true", focusable: "false" });
  for (const value of marks) {
    svg.append(shape("line", { class: "grid", x1: left, x2: width - PLOT.right, y1: y(value), y2: y(value) }));
    svg.append(shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
  }
  const every = Math.max(1, Math.ceil(LEAST_PER_LABEL / step));
  labels.forEach((label, at) => at % every === 0 && x(at) + step / 2 < width - LEAST_PER_LABEL / 3 && svg.append(shape("text", { x: x(at) + step / 2, y: PLOT.height - 8, "text-anchor": "middle" }, label)));
  svg.append(...(kind === "bars" ? bars(series, { x, y, step }) : series.flatMap((each) => lines(each, (at) => x(at) + step / 2, y))));
  host.replaceChildren(svg);
}

function bars(/** @type {Series[]} */ series, /** @type {any} */ { x, y, step }) {
  const wide = Math.max(1, Math.min(step * 0.72, 44));
  const reached = series[0].values.map(() => 0);
  return series.flatMap((each) =>
    each.values.map((value, at) => {
      const from = reached[at];
      reached[at] += value ?? 0;
      return value ? shape("rect", { class: each.tone, x: x(at) + (step - wide) / 2, width: wide, y: y(reached[at]), height: Math.max(y(from) - y(reached[at]), 1) }) : null;
    }).filter((each) => each !== null),
  );
}

/** A line for each run of known values; a lone value is a dot. */
function lines(/** @type {Series} */ { tone, values }, /** @type {(at: number) => number} */ x, /** @type {(value: number) => number} */ y) {
  const runs = values.reduce((all, value, at) => {
    if (value === null) all.push([]);
    else all[all.length - 1].push(`${x(at).toFixed(1)},${y(value).toFixed(1)}`);
    return all;
  }, /** @type {string[][]} */ ([[]]));
  const dots = runs.flat().map((point) => shape("circle", { class: tone, cx: point.split(",")[0], cy: point.split(",")[1], r: 2.5 }));
  return [...runs.filter((each) => each.length > 1).map((points) => shape("polyline", { class: tone, points: points.join(" ") })), ...dots];
}

/** @returns {number} the next of 1, 2, 5, 10, 20 ... that no value exceeds; less if all are below 1 */
function highest(/** @type {number[]} */ values) {
  const most = Math.max(...values, 0);
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= most) ?? most;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
export function shape(tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.textContent = text;
  return made;
}
