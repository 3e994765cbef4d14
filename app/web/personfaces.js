/** The faces of a person: look at them, give them to somebody else, delete them. */

import { idempotencyKey } from "./api.js";
import { button, make } from "./elements.js";
import { faceQuality } from "./facequality.js";
import { Cards } from "./grid.js";
import { t } from "./i18n.js";
import { facePath, facesPage, nameOf, pathOf } from "./identity.js";
import { giveFaces, moveFaces } from "./move.js";
import { moment } from "./numbers.js";
import { portrait } from "./portrait.js";
import { attempt } from "./problems.js";
import { Selection } from "./selection.js";
import { show } from "./tabs.js";
import { deleteLater, isGoing } from "./undo.js";

/** @type {any} */
let person = null;
const list = make("ul", { class: "cards", "aria-label": t("faces.title") });
const bar = make("div", { class: "selected", role: "region", "aria-label": t("faces.selected"), hidden: true });
const section = make("div", {}, bar, list);
/** @type {Selection<any>} */
const selected = new Selection(bar, "faces.chosen", (faces) => [
  button(t("faces.move"), () => void move(faces), "small"),
  button(t("faces.new"), () => void split(faces), "small"),
  button(t("faces.delete"), () => remove(faces), "small danger"),
]);
/** @type {Cards<any>} */
const cards = new Cards(list, (face) => face.face_id, faceCard);

export function closeFaces() {
  person = null;
  selected.clear();
  cards.draw([]);
}

/**
 * @param {any} now the person, with the first faces
 * @returns {Promise<HTMLElement[]>} the faces that are not about to be deleted
 */
export async function facesOf(now) {
  person = now;
  const isMore = now.faces > now.first_faces.length; // the answer has no cursor, so read the list from its start
  const page = isMore ? await facesPage(now) : { faces: now.first_faces, next_cursor: null };
  cards.draw(page.faces.filter(isShown));
  selected.keep(cards.ids);
  const more = button(t("faces.more"), () => void attempt(list, further), "small");
  more.hidden = page.next_cursor === null;
  let cursor = page.next_cursor;
  async function further() {
    const next = await facesPage(now, cursor);
    cards.append(next.faces.filter(isShown));
    cursor = next.next_cursor;
    more.hidden = cursor === null;
  }
  return [make("h3", {}, t("faces.title")), section, more];
}

const isShown = (/** @type {any} */ face) => !isGoing(facePath(face));

function faceCard(/** @type {any} */ face) {
  const when = moment(face.created_at);
  const gives = button(t("faces.move"), () => void move([face]), "small quiet");
  const deletes = button(t("faces.delete"), () => remove([face]), "small quiet");
  gives.setAttribute("aria-label", t("faces.moveOf", { when }));
  deletes.setAttribute("aria-label", t("faces.deleteOf", { when }));
  return make(
    "li",
    { "data-face": face.face_id },
    portrait({ ...face, name: person?.name }),
    ...faceQuality(face.quality),
    make("small", {}, when),
    make("div", { class: "row" }, gives, deletes),
    selected.box(face.face_id, face, t("faces.select", { when })),
  );
}

async function move(/** @type {any[]} */ faces) {
  const isAll = faces.length >= person.faces;
  const to = await moveFaces(person, faces);
  if (to) selected.clear();
  if (to && isAll) show("people", to.identity_id, true); // nothing is left of this entry
}

/** Make the faces a new entry, which gets its name on its page. */
async function split(/** @type {any[]} */ faces) {
  const to = await giveFaces(person, faces, { identity_id: idempotencyKey(), name: t("faces.somebodyNew") });
  if (to) show("people", to.identity_id);
}

function remove(/** @type {any[]} */ faces) {
  const isAll = faces.length >= person.faces;
  selected.clear();
  if (!isAll) return deleteLater(faces.map(facePath), t("faces.deleted", { count: faces.length, name: nameOf(person) }));
  const last = person;
  show("people", "", true);
  deleteLater([pathOf(last)], t("faces.lastDeleted", { name: nameOf(last) }));
}
