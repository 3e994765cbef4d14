/** The view of the audit trail: its lines, newest first, filters, verification, and files to save. */

import { call, send } from "./api.js";
import { button, make, say } from "./elements.js";
import { t } from "./i18n.js";
import { moment } from "./numbers.js";
import { attempt, latest } from "./problems.js";
import { csvOf, saveFile } from "./tables.js";

const PAGE = 100;
const KINDS = ["identity", "face", "collection", "review", "sighting_rule", "destination", "watched_camera", "key", "session", "job", "database", "data_key", "master_key"];
const ACTIONS = [
  "identity.enrolled", "identity.created", "identity.changed", "identity.renamed", "identity.merged", "identity.deleted", "identity.expired", "identity.exported",
  "face.moved", "face.deleted", "group.created", "group.changed", "group.merged", "group.split", "group.deleted",
  "collection.created", "collection.changed", "collection.cleared", "collection.deleted", "collection.renamed", "collection.switched", "collection.exported", "collection.imported", "collection.templates_discarded",
  "presentation.refused",
  "review.opened", "review.decided", "review.expired",
  "sighting_rule.created", "sighting_rule.changed", "sighting_rule.deleted",
  "destination.created", "destination.changed", "destination.deleted", "destination.rotated", "destination.replayed",
  "watched_camera.created", "watched_camera.changed", "watched_camera.deleted",
  "key.created", "key.revoked", "session.started", "session.ended", "job.created", "job.cancelled", "job.finished", "job.downloaded",
  "database.backed_up", "database.backup_downloaded", "database.backup_deleted", "database.restored", "database.closed", "data_key.created", "data_key.deleted", "master_key.changed",
];
const COLUMNS = ["seq", "at", "actor", "key_id", "request_id", "action", "collection", "subject", "detail", "previous", "sha256"];

/** @type {import("./admin.js").View} */
export async function showAudit(host, _about, signal) {
  const form = filters();
  const list = make("ol", { class: "trail", "aria-label": t("admin.audit") });
  const more = button(t("admin.more"), () => void attempt(list, () => next()), "small");
  const verdict = make("p", { role: "status" });
  const verify = button(t("audit.verify"), () => void attempt(verdict, () => verified(verdict)));
  const save = (/** @type {"csv" | "ndjson"} */ kind) => button(kind.toUpperCase(), () => void attempt(list, () => saved(kind, queryOf(form))), "small");
  /** @type {string | null} */
  let cursor = null;

  async function next(/** @type {AbortSignal} */ until = signal) {
    const page = await call("GET", "audit", { query: { ...queryOf(form), limit: PAGE, cursor }, signal: until });
    const first = list.childElementCount;
    list.append(...page.lines.map(line));
    if (page.unreadable) list.append(make("li", { class: "refused" }, t("audit.unreadable", { count: page.unreadable })));
    if (!list.childElementCount) list.append(make("li", { class: "hint" }, t("audit.none")));
    if (first) /** @type {HTMLElement | null} */ (list.children[first])?.focus();
    cursor = page.next_cursor;
    more.hidden = cursor === null;
  }
  form.onchange = latest((until) => {
    cursor = null;
    list.replaceChildren();
    return next(until);
  }, signal);
  form.onsubmit = (/** @type {Event} */ event) => event.preventDefault();
  await next();
  if (signal.aborted) return;
  new IntersectionObserver(([entry]) => entry.isIntersecting && !more.hidden && void attempt(list, () => next()), { rootMargin: "400px" }).observe(more);
  host.replaceChildren(
    make("div", { class: "view-head" }, make("h2", {}, t("admin.audit")), verify),
    make("p", { class: "hint" }, t("audit.about")),
    verdict,
    make("details", { class: "card filter", open: innerWidth > 832 }, make("summary", {}, t("audit.filter")), form),
    list,
    more,
    make("div", { class: "row saves" }, make("span", { class: "hint" }, t("audit.save")), save("csv"), save("ndjson")),
  );
}

/** @returns {any} the form */
function filters() {
  const groups = KINDS.map((kind) => make("optgroup", { label: t(`audit.${kind}`) }, ...ACTIONS.filter((each) => each.split(".")[0] === kind).map((each) => make("option", { value: each }, each))));
  const action = make("select", { name: "action" }, make("option", { value: "" }, t("audit.all_actions")), ...groups);
  const texts = ["collection", "subject", "actor"].map((name) => make("input", { name, autocomplete: "off", spellcheck: false, autocapitalize: "off", maxLength: 128 }));
  const days = ["since", "until"].map((name) => make("input", { name, type: "date" }));
  const all = [action, ...texts, ...days];
  return make("form", { class: "filters-grid", role: "search", "aria-label": t("audit.filter"), autocomplete: "off" }, ...all.map((each) => make("label", {}, t(`audit.${each.name}`), each)));
}

/** @returns {Record<string, string>} dates as moments: the last day is included */
function queryOf(/** @type {HTMLFormElement} */ form) {
  const query = /** @type {Record<string, string>} */ (Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()])));
  if (query.since) query.since = new Date(`${query.since}T00:00`).toISOString();
  if (query.until) query.until = new Date(new Date(`${query.until}T00:00`).setHours(24)).toISOString();
  return query;
}

function line(/** @type {any} */ each) {
  const who = [each.actor, each.key_id && each.key_id !== each.actor ? `(${each.key_id})` : ""].filter(Boolean).join(" ");
  const detail = Object.keys(each.detail).length ? make("code", { class: "detail" }, JSON.stringify(each.detail)) : null;
  return make(
    "li",
    { tabIndex: -1 },
    make("time", { dateTime: each.at }, moment(each.at)),
    make("span", {}, make("b", {}, each.action), each.subject ? ` ${each.subject}` : "", each.collection ? make("small", {}, ` ${t("audit.in", { collection: each.collection })}`) : null, detail),
    make("small", {}, who),
    make("small", { class: "seq", title: each.sha256 }, `#${each.seq}`),
  );
}

async function verified(/** @type {HTMLElement} */ host) {
  host.className = "hint";
  host.textContent = t("audit.verifying");
  const { is_unbroken: isWhole, lines, breaks, broken, anchor } = await call("GET", "audit/verification");
  host.className = `finding ${isWhole ? "match" : "refused"}`;
  const text = isWhole ? t("audit.unbroken", { count: lines }) : t("audit.broken", { count: broken });
  host.replaceChildren(make("b", {}, text), ...breaks.map((/** @type {any} */ each) => make("span", {}, `#${each.seq}: ${each.what}`)), make("small", {}, t("audit.anchor"), " ", make("code", {}, anchor)));
  say(text);
}

async function saved(/** @type {"csv" | "ndjson"} */ kind, /** @type {Record<string, string>} */ query) {
  const content = await (await send("GET", "audit/export", { query })).blob();
  if (kind === "ndjson") return saveFile("audit-trail.ndjson", content);
  const lines = (await content.text()).split("\n").filter(Boolean).map((each) => JSON.parse(each));
  const cells = lines.map((each) => COLUMNS.map((name) => (name === "detail" ? JSON.stringify(each.detail) : each[name])));
  saveFile("audit-trail.csv", new Blob([csvOf([COLUMNS, ...cells])], { type: "text/csv" }));
}
