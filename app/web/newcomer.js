/** What can follow an unknown face: enroll it as somebody new, add it to somebody, or ignore it. */

import { Problem, at, call, idempotencyKey } from "./api.js";
import { button, make, say } from "./elements.js";
import { facePhoto } from "./facephoto.js";
import { nameOf } from "./faces.js";
import { t } from "./i18n.js";
import { listOf, sentences } from "./phrases.js";
import { pickPerson } from "./picker.js";
import { attempt } from "./problems.js";
import { collection, peopleChanged } from "./session.js";

/**
 * @typedef {object} Scene a photo with its faces
 * @property {File} photo
 * @property {CanvasImageSource | null} source null if the browser cannot show the photo
 * @property {number[]} size
 * @property {any[]} faces
 */

/** @typedef {{text: string, face: string, identity: string}} Enrolled the message, and the ids of the new face and its person */

/**
 * @param {Scene} scene
 * @param {number} place of the face
 * @param {object} wishes
 * @param {(enrolled: Enrolled) => void} wishes.onEnrolled
 * @param {() => void} wishes.onIgnore
 * @returns {HTMLElement} buttons; the first one, `.begin`, asks for a name
 */
export function beginnings(scene, place, { onEnrolled, onIgnore }) {
  const row = make("div", { class: "row beginnings" });
  const enroll = (/** @type {Record<string, string>} */ fields, /** @type {string} */ called) => {
    const repeated = idempotencyKey();
    return attempt(row, async () => onEnrolled(await enrolled(scene, place, fields, called, repeated)));
  };
  const add = async () => {
    const person = await pickPerson(t("faces.whose", { count: 1 }), { near: scene.faces[place].candidates });
    if (person) await enroll({ identity_id: person.identity_id }, nameOf(person));
  };
  const buttons = [button(t("newcomer.new"), ask, "small begin"), button(t("newcomer.add"), () => void add(), "small"), button(t("newcomer.ignore"), onIgnore, "small quiet")];
  function ask() {
    const field = make("input", { required: true, maxLength: 256, "aria-label": t("newcomer.name"), placeholder: t("newcomer.name"), autocomplete: "off" });
    const form = make("form", { class: "row name-form" }, field, make("button", { type: "submit", class: "main small" }, t("enroll.submit")), button(t("page.cancel"), cancel, "small quiet"));
    form.onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (name) void enroll({ name }, name);
    };
    row.replaceChildren(form);
    field.focus();
  }
  function cancel() {
    row.replaceChildren(...buttons);
    buttons[0].focus();
  }
  row.replaceChildren(...buttons);
  return row;
}

/** @returns {Promise<Enrolled>} */
async function enrolled(scene, place, fields, called, repeated) {
  const form = new FormData();
  form.append("photos", await photoToEnroll(scene, place));
  for (const [name, value] of Object.entries({ ...fields, collection: collection(), face: "main" })) form.append(name, value);
  const { identity_id: identity, faces, duplicates, mismatches } = await call("POST", "enroll", { form, headers: { "Idempotency-Key": repeated } });
  const names = listOf(duplicates.map((/** @type {any} */ each) => each.identity_id));
  const text = sentences(t("newcomer.enrolled", { name: called }), names && t("newcomer.alike", { names }), mismatches.length > 0 && t("newcomer.unlike"));
  peopleChanged();
  say(text);
  return { text, identity, face: faces[0].face_id };
}

/** @returns {Promise<File>} the photo itself if it shows nobody else */
async function photoToEnroll({ photo, source, size, faces }, /** @type {number} */ place) {
  if (faces.length === 1) return photo;
  if (!source) throw new Problem({ title: t("problems.noPicture"), code: "page_error", detail: t("problems.cutUnshown") });
  const boxes = faces.map((each) => each.box);
  return facePhoto(source, size, boxes[place], boxes.filter((_, each) => each !== place));
}

/**
 * Take an enrollment back.
 *
 * @param {Enrolled} done
 */
export async function undo({ face }) {
  await call("DELETE", at("collections/{}/faces/{}", collection(), face));
  peopleChanged();
}
