/** The view of traffic: requests, verdicts, refusals, quality and times over hours or days. */

import { call } from "./api.js";
import { chart } from "./chart.js";
import { allCollections } from "./collections.js";
import { make } from "./elements.js";
import { locale, t } from "./i18n.js";
import { similarity } from "./numbers.js";
import { latest, titleOf } from "./problems.js";
import { may, me } from "./account.js";
import { tableOf } from "./tables.js";

const HOUR_MS = 3_600_000;
const SPANS = { day: { bucket: "hour", hours: 24 }, week: { bucket: "day", hours: 7 * 24 }, month: { bucket: "day", hours: 30 * 24 }, quarter: { bucket: "day", hours: 90 * 24 } };
const OPERATIONS = ["identify", "verify", "search", "enroll", "detect", "embed"];
const VERDICTS = ["match", "possible", "unknown", "no_match"];

const whole = (/** @type {number} */ value) => value.toLocaleString(locale, { notation: value >= 10_000 ? "compact" : "standard", maximumFractionDigits: 1 });
const milliseconds = (/** @type {number} */ value) => `${whole(value)} ms`;
const sum = (/** @type {Record<string, number>} */ counts) => Object.values(counts).reduce((all, each) => all + each, 0);

/** @type {import("./admin.js").View} */
export async function showTraffic(host, _about, signal) {
  const span = select("traffic-span", t("traffic.span"), Object.keys(SPANS).map((each) => [each, t(`traffic.last_${each}`)]), "week");
  const operation = select("traffic-operation", t("traffic.operation"), [["", t("traffic.all_operations")], ...OPERATIONS.map((each) => [each, t(`traffic.${each}`)])]);
  const own = me()?.collections ?? null; // a key for these alone cannot ask about all
  const names = own ?? (may("manage") ? (await allCollections()).map((each) => each.name) : []);
  const where = select("traffic-where", t("account.collections"), [...(own ? [] : [["", t("account.all_collections")]]), ...names.map((each) => [each, each])]);
  const charts = make("div", { class: "charts" });
  const load = async (/** @type {AbortSignal} */ until) => {
    const { bucket, hours } = SPANS[span.value];
    const query = { bucket, collection: where.value, operation: operation.value, since: new Date(floored(Date.now(), bucket) - (hours - (bucket === "day" ? 24 : 1)) * HOUR_MS).toISOString() };
    const found = await call("GET", "statistics", { query, signal: until });
    charts.replaceChildren(...drawn(found));
  };
  for (const each of [span, operation, where]) each.onchange = latest(load, signal);
  await load(signal);
  if (!signal.aborted) host.replaceChildren(make("div", { class: "view-head" }, make("h2", {}, t("admin.traffic"))), make("p", { class: "hint" }, t("traffic.about")), make("div", { class: "row filters" }, span, where, operation), charts);
}

/** @returns {any} a select */
function select(/** @type {string} */ id, /** @type {string} */ label, /** @type {string[][]} */ options, chosen = "") {
  return make("select", { id, "aria-label": label }, ...options.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
}

/** @returns {number} the start of a bucket of UTC, in milliseconds */
const floored = (/** @type {number} */ moment, /** @type {string} */ bucket) => moment - (moment % (bucket === "day" ? 24 * HOUR_MS : HOUR_MS));

/** @returns {HTMLElement[]} */
function drawn(/** @type {any} */ { total, buckets, bucket, since, until }) {
  const step = bucket === "day" ? 24 * HOUR_MS : HOUR_MS;
  const known = new Map(buckets.map((/** @type {any} */ each) => [Date.parse(each.start), each]));
  const starts = [];
  for (let at = floored(Date.parse(since), bucket); at < Date.parse(until); at += step) starts.push(at);
  const words = (/** @type {Intl.DateTimeFormatOptions} */ options) => starts.map((at) => new Date(at).toLocaleString(locale, bucket === "day" ? { ...options, timeZone: "UTC" } : options));
  const labels = words(bucket === "day" ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" });
  const times = words(bucket === "day" ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
  const values = (/** @type {(figures: any) => number | null | undefined} */ of, /** @type {number | null} */ none) => starts.map((at) => (known.has(at) ? (of(known.get(at)) ?? none) : none));
  const counted = (/** @type {string} */ member, /** @type {string[]} */ names, /** @type {(name: string) => string} */ toneOf) => names.filter((name) => total[member][name]).map((name) => ({ name: t(`traffic.${name}`), tone: toneOf(name), values: values((each) => each[member][name], 0) }));
  const about = { labels, times };
  if (!sum(total.requests)) return [make("p", { class: "note" }, t("traffic.nothing"))];
  const others = Object.keys(total.requests).filter((name) => !OPERATIONS.includes(name));
  const requests = [...counted("requests", OPERATIONS, (name) => `tone-${OPERATIONS.indexOf(name) + 1}`), ...(others.length ? [{ name: t("traffic.other"), tone: "tone-7", values: values((each) => others.reduce((all, name) => all + (each.requests[name] ?? 0), 0), 0) }] : [])];
  const verdicts = counted("verdicts", VERDICTS, (name) => `tone-${name}`);
  const shown = [tiles(total), chart({ ...about, title: t("traffic.requests"), kind: "bars", format: whole, series: requests })];
  if (verdicts.length) shown.push(chart({ ...about, title: t("traffic.verdicts"), kind: "bars", format: whole, series: verdicts }));
  if (total.quality) shown.push(chart({ ...about, title: t("traffic.quality"), kind: "lines", format: (value) => similarity(value), series: [["p90", "tone-3"], ["p50", "tone-1"], ["p10", "tone-4"]].map(([name, tone]) => ({ name: t(`traffic.${name}`), tone, values: values((each) => each.quality?.[name], null) })) }));
  if (total.latency) shown.push(chart({ ...about, title: t("traffic.latency"), kind: "lines", format: milliseconds, series: [["p95_ms", "tone-4"], ["p50_ms", "tone-1"]].map(([name, tone]) => ({ name: t(`traffic.${name}`), tone, values: values((each) => each.latency?.[name], null) })) }));
  if (sum(total.refusals)) shown.push(refusals(total.refusals));
  return shown;
}

function tiles(/** @type {any} */ { requests, verdicts, refusals, quality, latency }) {
  const decided = sum(verdicts);
  const facts = [
    [t("traffic.requests"), whole(sum(requests))],
    [t("traffic.match_share"), decided ? ((verdicts.match ?? 0) / decided).toLocaleString(locale, { style: "percent" }) : "–"],
    [t("traffic.refusals"), whole(sum(refusals))],
    [t("traffic.median_quality"), quality ? similarity(quality.p50) : "–"],
    [t("traffic.median_time"), latency ? milliseconds(Math.round(latency.p50_ms)) : "–"],
  ];
  return make("dl", { class: "tiles" }, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

/** Reasons of refused photos and requests, the most frequent first. */
function refusals(/** @type {Record<string, number>} */ counts) {
  const sorted = Object.entries(counts).sort(([, one], [, other]) => other - one);
  const rows = sorted.map(([code, count]) => [titleOf(code), whole(count), make("meter", { value: count, max: sorted[0][1], "aria-label": titleOf(code) })]);
  return make("div", { class: "card chart" }, make("h3", {}, t("traffic.refusals")), tableOf(t("traffic.refusals"), [t("traffic.reason"), t("traffic.count"), t("traffic.share")], rows));
}
