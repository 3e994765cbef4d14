/** The view of sightings: the people on the cameras, as they are seen. */

import { Problem, at, call } from "./api.js";
import { make, say } from "./elements.js";
import { events } from "./events.js";
import { t } from "./i18n.js";
import { boundOf, moment, often } from "./numbers.js";
import { portrait, showImage } from "./portrait.js";
import { latest } from "./problems.js";

const PAGE = 30;
const MOST = 200; // sightings in the list
const AGAIN_MS = 2000;
const ALL = "person.recognised,person.possible,person.unknown,attack.suspected,watchlist.hit";
const NAMES = ["match", "possible", "unknown", "attack", "hit"];
/** @type {Record<string, string>} kinds of events by their names in the texts */
const KINDS = Object.fromEntries(ALL.split(",").map((kind, index) => [NAMES[index], kind]));
const EXAMPLE = `curl --json '{"camera_id": "door", "collection": "default", "url": "rtsp://10.0.3.7/stream1"}' localhost:8000/cameras`;

/** @typedef {{id: string, position: number, kind: string, collection: string | null, data: any, has_image: boolean}} Seen */

/** @type {import("./admin.js").View} */
export async function showSightings(host, _about, signal) {
  const list = make("ol", { class: "entries sightings", "aria-label": t("admin.sightings"), reversed: true });
  const state = make("p", { class: "hint", role: "status" });
  const empty = make("div", { class: "card", hidden: true }, make("p", {}, make("b", {}, t("sightings.none"))), make("p", {}, t("sightings.add")), make("pre", { tabIndex: 0, role: "region", "aria-label": t("sightings.example") }, make("code", {}, EXAMPLE)));
  const form = filters(await camerasOf(signal));
  const follow = latest(async (until) => {
    state.textContent = t("sightings.connecting");
    list.replaceChildren();
    const query = queryOf(form);
    const end = await newest(until);
    const page = await call("GET", "events", { query: { ...query, order: "newest", limit: PAGE }, signal: until });
    list.append(...page.events.map((/** @type {Seen} */ each) => entry(each, until)));
    empty.hidden = list.childElementCount > 0;
    await stream(query, page.events[0]?.position ?? end, until, (isOpen) => {
      state.textContent = t(isOpen ? "sightings.live" : "sightings.again");
    }, (each) => {
      empty.hidden = true;
      list.prepend(entry(each, until));
      while (list.childElementCount > MOST) list.lastElementChild?.remove();
      if (each.kind === KINDS.hit || each.kind === KINDS.attack) say(summary(each));
    });
  }, signal);
  if (signal.aborted) return;
  form.onchange = () => void follow();
  form.onsubmit = (/** @type {Event} */ event) => event.preventDefault();
  host.replaceChildren(make("div", { class: "view-head" }, make("h2", {}, t("admin.sightings"))), make("p", { class: "hint" }, t("sightings.about")), form, state, empty, list);
  void follow();
}

/** @returns {Promise<number>} the position of the newest event of any kind, 0 without one */
async function newest(/** @type {AbortSignal} */ signal) {
  const page = await call("GET", "events", { query: { order: "newest", limit: 1 }, signal });
  return page.events[0]?.position ?? 0;
}

/** @returns {Promise<string[]>} */
async function camerasOf(/** @type {AbortSignal} */ signal) {
  const found = [];
  for (let cursor = null; ; ) {
    const page = await call("GET", "cameras", { query: { limit: 200, cursor }, signal });
    found.push(...page.cameras.map((/** @type {any} */ each) => each.camera_id));
    cursor = page.next_cursor;
    if (cursor === null) return found;
  }
}

/** @returns {any} the form */
function filters(/** @type {string[]} */ cameras) {
  const options = (/** @type {[string, string][]} */ all) => all.map(([value, text]) => make("option", { value }, text));
  const camera = make("select", { name: "camera" }, ...options([["", t("sightings.all_cameras")], .../** @type {[string, string][]} */ (cameras.map((each) => [each, each]))]));
  const kind = make("select", { name: "kind" }, ...options([[ALL, t("sightings.all_kinds")], .../** @type {[string, string][]} */ (Object.entries(KINDS).map(([name, value]) => [value, t(`sightings.kind_${name}`)]))]));
  return make("form", { class: "filters-grid", role: "search", "aria-label": t("sightings.filter"), autocomplete: "off" }, make("label", {}, t("sightings.camera"), camera), make("label", {}, t("sightings.kind"), kind));
}

const queryOf = (/** @type {HTMLFormElement} */ form) => /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));

/**
 * Follow the events after a position, and connect again when the connection breaks.
 *
 * @param {Record<string, string>} query
 * @param {number} after
 * @param {AbortSignal} signal
 * @param {(isOpen: boolean) => void} onState
 * @param {(event: Seen) => void} onEvent
 */
async function stream(query, after, signal, onState, onEvent) {
  let last = after;
  while (!signal.aborted) {
    try {
      for await (const { data } of events("events/stream", signal, { query: { ...query, after: String(last) }, onOpen: () => onState(true) })) {
        last = data.position;
        onEvent(data);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && !error.isPassing) throw error; // a lost connection is a TypeError
    }
    onState(false);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

const nameOf = (/** @type {any} */ data) => data.name || data.identity_id || t("sightings.nobody");
const kindOf = (/** @type {Seen} */ each) => Object.keys(KINDS).find((name) => KINDS[name] === each.kind) ?? "unknown";
const summary = (/** @type {Seen} */ each) => t("sightings.summary", { kind: t(`sightings.kind_${kindOf(each)}`), name: nameOf(each.data), camera: each.data.camera });

function entry(/** @type {Seen} */ each, /** @type {AbortSignal} */ signal) {
  const { data } = each;
  const kind = kindOf(each);
  const picture = portrait({ name: data.name, identity_id: data.identity_id ?? "?" });
  if (each.has_image) void showImage(picture, at("events/{}/image", each.id), signal);
  const chance = data.fpir === null || data.verdict === "unknown" ? null : t("sightings.chance", { often: often(data.fpir, boundOf(data.fpir), "lookups") });
  const where = [data.camera, moment(data.last_seen), chance, data.rule && t("sightings.rule", { name: data.rule.name })].filter(Boolean).join(" · ");
  const isBad = kind === "attack" || kind === "hit";
  return make("li", {}, picture, make("div", { class: "entry-text" }, make("span", {}, make("b", {}, nameOf(data)), make("span", { class: `tag ${isBad ? "refused" : ""}` }, t(`sightings.kind_${kind}`))), make("small", {}, where)));
}
