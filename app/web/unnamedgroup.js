/** The page of one group of unknown faces: name it, add it to somebody, take faces out. */

import { at, call } from "./api.js";
import { button, byId, make, say } from "./elements.js";
import { Cards } from "./grid.js";
import { t } from "./i18n.js";
import { nameOf } from "./identity.js";
import { moment } from "./numbers.js";
import { pickPerson } from "./picker.js";
import { portrait } from "./portrait.js";
import { attempt } from "./problems.js";
import { Selection } from "./selection.js";
import { collection, peopleChanged } from "./session.js";
import { addressOf, show } from "./tabs.js";
import { deleteLater, offerUndo } from "./undo.js";

const PAGE = 200;

/** @typedef {{group_id: string, state: string, faces: number, face_id: string | null, has_image: boolean, first_seen: string, last_seen: string, version: string}} Group */

/** @type {Group | null} */
let group = null;
let round = 0; // an earlier answer does not replace what is shown now
const list = make("ul", { class: "cards", "aria-label": t("faces.title") });
const bar = make("div", { class: "selected", role: "region", "aria-label": t("faces.selected"), hidden: true });
const section = make("div", {}, bar, list);
/** @type {Selection<any>} */
const selected = new Selection(bar, "unnamed.facesChosen", (faces) => [button(t("unnamed.split"), () => void attempt(list, () => split(faces)), "small")]);
/** @type {Cards<any>} */
const cards = new Cards(list, (face) => face.face_id, faceCard);

export const groupPath = (/** @type {Group} */ { group_id }) => at("collections/{}/groups/{}", collection(), group_id);

/** @returns {Record<string, string>} the header by which nobody else's change is overwritten */
export const matching = (/** @type {Group[]} */ ...groups) => ({ "If-Match": groups.map((each) => `"${each.version}"`).join(", ") });

/** @returns {Promise<any>} the faces of a group, or those in no group */
export const unknownFaces = (/** @type {string | null} */ groupId = null, /** @type {string | null} */ cursor = null) => call("GET", at("collections/{}/unknown-faces", collection()), { query: { group_id: groupId, cursor, limit: PAGE } });

/** Read the lists again. */
export const tryAgain = () => peopleChanged();

/** Give groups another state, with a way back. */
export async function setState(/** @type {Group[]} */ groups, /** @type {string} */ state) {
  for (const each of groups) await call("PATCH", groupPath(each), { json: { state }, headers: matching(each) });
  const text = t(`unnamed.made_${state}`, { count: groups.length });
  say(text);
  offerUndo(text, async () => {
    for (const each of groups) await call("PATCH", groupPath(each), { json: { state: each.state } });
  });
}

export function closeGroup() {
  group = null;
  round += 1;
  selected.clear();
  cards.draw([]);
  byId("unnamed-group").replaceChildren(); // its buttons must not act on the group that was shown before
}

const back = () => make("a", { class: "back", href: addressOf("unnamed") }, t("unnamed.all"));

/** Show a group. */
export async function showGroup(/** @type {string} */ groupId) {
  const host = byId("unnamed-group");
  if (group?.group_id !== groupId) {
    closeGroup();
    host.replaceChildren(back(), make("p", { class: "hint" }, t("person.looking")));
  }
  const mine = (round += 1);
  await attempt(make("div"), async () => {
    const now = await call("GET", at("collections/{}/groups/{}", collection(), groupId));
    const page = await unknownFaces(groupId);
    if (mine !== round) return;
    group = now;
    cards.draw(page.unknown_faces);
    selected.keep(cards.ids);
    let { next_cursor: cursor } = page;
    const more = button(t("faces.more"), () => void attempt(list, further), "small");
    more.hidden = cursor === null;
    async function further() {
      const next = await unknownFaces(groupId, cursor);
      cards.append(next.unknown_faces);
      cursor = next.next_cursor;
      more.hidden = cursor === null;
    }
    host.replaceChildren(back(), head(now), make("h3", {}, t("faces.title")), section, more);
  }, () => host.replaceChildren(back()));
}

function head(/** @type {Group} */ now) {
  const seen = t("unnamed.between", { first: moment(now.first_seen), last: moment(now.last_seen) });
  const others = ["open", "hidden", "ignored"].filter((each) => each !== now.state);
  const actions = [
    button(t("unnamed.addTo"), () => void attempt(list, () => addTo(now))),
    ...others.map((state) => button(t(`unnamed.make_${state}`), () => void attempt(list, () => leave(now, state)), "quiet")),
    button(t("unnamed.delete"), () => remove(now), "quiet danger"),
  ];
  return make("div", { class: "person-head" }, portrait({ ...now, isUnknown: true }, "large"), make("div", {}, make("h2", {}, t("unnamed.who")), make("small", {}, `${t("people.faces", { count: now.faces })} · ${seen}`), naming(now), make("div", { class: "row" }, ...actions)));
}

function naming(/** @type {Group} */ now) {
  const field = make("input", { id: "unnamed-name", maxLength: 256, required: true, autocomplete: "off" });
  const form = make("form", { class: "row", autocomplete: "off" }, make("label", { htmlFor: field.id }, t("unnamed.name")), field, make("button", { type: "submit", class: "main" }, t("unnamed.enroll")));
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void attempt(form, () => enrolled(now, "name", { name: field.value.trim() }, field.value.trim()));
  };
  return form;
}

async function addTo(/** @type {Group} */ now) {
  const to = await pickPerson(t("unnamed.whose"));
  if (to) await enrolled(now, "add", { identity_id: to.identity_id }, nameOf(to));
}

/** Enroll the group, and show the person. */
async function enrolled(/** @type {Group} */ now, /** @type {string} */ action, /** @type {object} */ json, /** @type {string} */ name) {
  const answer = await call("POST", `${groupPath(now)}/${action}`, { json, headers: matching(now) });
  peopleChanged();
  show("people", answer.identity_id, true);
  say(t("unnamed.enrolled", { count: answer.faces.length, name }));
}

async function leave(/** @type {Group} */ now, /** @type {string} */ state) {
  await setState([now], state);
  show("unnamed", "", true);
}

function remove(/** @type {Group} */ now) {
  show("unnamed", "", true);
  deleteLater([groupPath(now)], t("unnamed.deleted", { count: 1 }), tryAgain);
}

function faceCard(/** @type {any} */ face) {
  const when = moment(face.seen_at);
  const facts = face.camera ? t("unnamed.seenBy", { when, camera: face.camera }) : t("unnamed.seen", { when });
  return make("li", { "data-face": face.face_id }, portrait({ ...face, isUnknown: true }), make("small", {}, facts), selected.box(face.face_id, face, t("faces.select", { when })));
}

/** Move faces of another person to a new group, with a way back. */
async function split(/** @type {any[]} */ faces) {
  const from = group;
  if (!from) return;
  const made = await call("POST", `${groupPath(from)}/split`, { json: { face_ids: faces.map((each) => each.face_id) }, headers: matching(from) });
  selected.clear();
  const text = t("unnamed.splitOff", { count: faces.length });
  say(text);
  await showGroup(from.group_id);
  const again = () => void (group && showGroup(from.group_id));
  offerUndo(text, () => call("POST", `${groupPath(from)}/merge`, { json: { groups: [made.group_id] } }), again);
}
