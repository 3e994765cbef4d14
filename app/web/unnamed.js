/** The tab Unnamed: groups of faces that match nobody, to be named. */

import { at, call } from "./api.js";
import { button, byId, make, say } from "./elements.js";
import { Cards } from "./grid.js";
import { rich, t } from "./i18n.js";
import { moment } from "./numbers.js";
import { portrait } from "./portrait.js";
import { attempt } from "./problems.js";
import { Selection } from "./selection.js";
import { collection, session } from "./session.js";
import { addPanel, addressOf, openTab } from "./tabs.js";
import { deleteLater, flush, isGoing, offerUndo } from "./undo.js";
import { closeGroup, groupPath, matching, setState, showGroup, tryAgain, unknownFaces } from "./unnamedgroup.js";

const PAGE = 100;
const MOST_UNDONE = 200; // faces of a group that a merge can give back

/** @typedef {import("./unnamedgroup.js").Group} Group */

/** @type {Cards<any>} */
const cards = new Cards(byId("unnamed-list"), (group) => group.group_id, groupCard);
/** @type {Selection<any>} */
const selected = new Selection(byId("unnamed-selected"), "unnamed.chosen", (groups) => [
  groups.length > 1 ? button(t("unnamed.merge"), () => void attempt(make("div"), () => merge(groups)), "small") : null,
  ...states().map((state) => button(t(`unnamed.make_${state}`), () => void attempt(make("div"), () => change(groups, state)), "small")),
  button(t("unnamed.delete"), () => remove(groups), "small danger"),
]);
/** @type {Cards<any>} */
const loose = new Cards(byId("unnamed-loose"), (face) => face.face_id, looseCard);
/** @type {Selection<any>} */
const selectedLoose = new Selection(byId("unnamed-loose-selected"), "unnamed.facesChosen", (faces) => [
  button(t("unnamed.together"), () => void attempt(make("div"), () => together(faces)), "small"),
]);
/** @type {string | null} */
let cursor = null;
let opened = "";

/** Connect the tab. */
export function startUnnamed() {
  byId("unnamed-state").onchange = () => void reload();
  byId("unnamed-more").onclick = () => void attempt(byId("unnamed-list"), more);
  session.addEventListener("collection", clear);
  session.addEventListener("people", () => {
    if (openTab() === "unnamed" && !opened) void reload(true);
  });
  addPanel("unnamed", { onShow, onHide });
}

function clear() {
  cards.draw([]);
  loose.draw([]);
  selected.clear();
  selectedLoose.clear();
}

function onHide() {
  closeGroup();
  clear(); // a group that was named in the meantime must not be shown and chosen until the list is read again
  opened = "";
  void flush();
}

function onShow(/** @type {string} */ about) {
  const before = opened;
  opened = about;
  byId("unnamed-all").hidden = about !== "";
  byId("unnamed-group").hidden = about === "";
  if (about) return void showGroup(about);
  closeGroup();
  void reload().then(() => cards.focus(before));
}

const state = () => byId("unnamed-state").value;
const states = () => ["open", "hidden", "ignored"].filter((each) => each !== state());

async function reload(isByItself = false) {
  await attempt(byId("unnamed-list"), async () => {
    const page = await read(null);
    const faces = state() === "open" ? (await unknownFaces()).unknown_faces : [];
    cards.draw(page.groups.filter(isShown));
    loose.draw(faces);
    selected.keep(cards.ids);
    selectedLoose.keep(loose.ids);
    byId("unnamed-single").hidden = faces.length === 0;
    after(page);
    const settings = page.unknown_faces ? null : await call("GET", at("collections/{}", collection()));
    empty(page, faces.length, settings);
  }, undefined, isByItself);
}

async function more() {
  const page = await read(cursor);
  cards.append(page.groups.filter(isShown));
  after(page);
}

const read = (/** @type {string | null} */ from) => call("GET", at("collections/{}/groups", collection()), { query: { state: state(), cursor: from, limit: PAGE } });

const isShown = (/** @type {Group} */ group) => !isGoing(groupPath(group));

function after(/** @type {any} */ page) {
  cursor = page.next_cursor;
  byId("unnamed-more").hidden = cursor === null;
  byId("unnamed-count").textContent = page.unknown_faces ? t("unnamed.count", { groups: t("unnamed.groups", { count: page.total }), faces: t("people.faces", { count: page.unknown_faces }) }) : "";
}

/** Say why nothing is shown, and how to switch it on. */
function empty(/** @type {any} */ page, /** @type {number} */ faces, /** @type {any} */ settings) {
  const place = byId("unnamed-none");
  place.hidden = cards.ids.size + faces > 0;
  if (page.unknown_faces) return place.replaceChildren(make("p", {}, t("unnamed.noneHere")));
  if (settings?.remember_unknown_days) return place.replaceChildren(make("h3", {}, t("unnamed.nobody")), make("p", {}, t("unnamed.nobodyHint", { count: settings.remember_unknown_days })));
  const link = make("a", { href: addressOf("admin", `collections/${collection()}`) }, t("unnamed.settings"));
  place.replaceChildren(make("h3", {}, t("unnamed.off")), make("p", {}, t("unnamed.offHint")), make("p", {}, ...rich("unnamed.offHow", { link, setting: make("b", {}, t("settings.remember_unknown_days")) })));
}

function groupCard(/** @type {Group} */ group) {
  const facts = { faces: t("people.faces", { count: group.faces }), when: moment(group.last_seen) };
  const link = make("a", { href: addressOf("unnamed", group.group_id) }, portrait({ ...group, isUnknown: true }), make("b", {}, facts.faces), make("small", {}, t("unnamed.seen", { when: facts.when })));
  return make("li", { "data-group": group.group_id }, link, selected.box(group.group_id, group, t("unnamed.select", facts)));
}

function looseCard(/** @type {any} */ face) {
  const when = moment(face.seen_at);
  return make("li", { "data-face": face.face_id }, portrait({ ...face, isUnknown: true }), make("small", {}, t("unnamed.seen", { when })), selectedLoose.box(face.face_id, face, t("faces.select", { when })));
}

/** Merge into the largest group; a merge of few faces can be taken back. */
async function merge(/** @type {Group[]} */ groups) {
  const [kept, ...others] = [...groups].sort((a, b) => b.faces - a.faces);
  const before = others.every((each) => each.faces <= MOST_UNDONE) ? await Promise.all(others.map((each) => unknownFaces(each.group_id))) : null;
  await call("POST", `${groupPath(kept)}/merge`, { json: { groups: others.map((each) => each.group_id) }, headers: matching(...groups) });
  selected.clear();
  const text = t("unnamed.merged", { count: groups.length });
  say(text);
  if (!before) return reload(true);
  const undo = async () => {
    for (const page of before) await call("POST", `${groupPath(kept)}/split`, { json: { face_ids: page.unknown_faces.map((/** @type {any} */ each) => each.face_id) } });
  };
  offerUndo(text, undo);
}

async function change(/** @type {Group[]} */ groups, /** @type {string} */ to) {
  selected.clear();
  await setState(groups, to);
}

function remove(/** @type {Group[]} */ groups) {
  selected.clear();
  deleteLater(groups.map(groupPath), t("unnamed.deleted", { count: groups.length }), tryAgain);
}

/** Make a group of faces that are in none. */
async function together(/** @type {any[]} */ faces) {
  const made = await call("POST", at("collections/{}/groups", collection()), { json: { face_ids: faces.map((each) => each.face_id) } });
  selectedLoose.clear();
  location.hash = addressOf("unnamed", made.group_id);
}
