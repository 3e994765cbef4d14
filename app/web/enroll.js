/** The tab Enroll: photos of one person, and the result of each. */

import { call, idempotencyKey } from "./api.js";
import { button, byId, make, say } from "./elements.js";
import { count, judgement, often, plain, similarity } from "./numbers.js";
import { photoField } from "./photofield.js";
import { portrait } from "./portrait.js";
import { attempt } from "./problems.js";
import { collection, peopleChanged } from "./session.js";
import { addPanel, show } from "./tabs.js";

/** @type {File[]} */
let photos = [];
/** @type {Map<File, string>} */
const addresses = new Map();
let isDone = false;

/** Connect the tab. */
export function startEnroll() {
  const field = photoField(byId("enroll-photos"), {
    isMultiple: true,
    onPhotos: (more) => {
      if (isDone) forget();
      photos = [...photos, ...more];
      list();
    },
  });
  const form = byId("enroll-form");
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    byId("enroll-result").replaceChildren();
    if (!photos.length || isDone) return report(isDone ? "These are enrolled. Add other photos." : "Add a photo first.");
    const repeated = idempotencyKey();
    void attempt(form, () => enroll(repeated), (problem) => {
      if (problem.code === "nothing_enrolled") outcome({ faces: [], duplicates: [], mismatches: [], ...problem.members });
      else if (problem.code === "duplicate_identity") lookalikes(problem.members.duplicates);
      else byId("enroll-result").replaceChildren();
    });
  };
  addPanel("enroll", { onHide: field.close });
}

/**
 * Open the tab for another photo of a person.
 *
 * @param {string} identityId
 */
export function enrollMore(identityId) {
  forget();
  list();
  byId("enroll-id").value = identityId;
  show("enroll");
}

async function enroll(repeated) {
  const form = new FormData();
  for (const photo of photos) form.append("photos", photo);
  const fields = { identity_id: byId("enroll-id").value.trim(), name: byId("enroll-name").value.trim(), on_duplicate: byId("enroll-duplicate").value };
  for (const [name, value] of Object.entries(fields)) if (value) form.append(name, value);
  form.append("face", byId("enroll-face").value);
  form.append("collection", collection());
  byId("enroll-result").replaceChildren(make("p", { class: "hint" }, "Enrolling …"));
  outcome(await call("POST", "enroll", { form, headers: { "Idempotency-Key": repeated } }));
}

/** Draw the photos to send. */
function list() {
  byId("enroll-result").replaceChildren();
  byId("enroll-list").replaceChildren(
    ...photos.map((photo) => {
      const remove = button("Remove", () => {
        photos = photos.filter((each) => each !== photo);
        list();
        byId("enroll-photos").querySelector("button").focus();
      }, "quiet small");
      remove.setAttribute("aria-label", `Remove ${photo.name}`);
      return make("li", {}, thumbnail(photo), make("div", {}, photo.name, remove));
    }),
  );
}

/** Draw the result of each photo. */
function outcome(answer) {
  isDone = answer.faces.length > 0; // if all were rejected, they may be sent again with other options
  if (isDone) peopleChanged();
  const flags = (/** @type {any[]} */ all, /** @type {number} */ at) => all.filter((each) => each.photo === at);
  byId("enroll-list").replaceChildren(
    ...photos.map((photo, at) => {
      const face = answer.faces.find((/** @type {any} */ each) => each.photo === at);
      const refused = answer.rejected.find((/** @type {any} */ each) => each.photo === at);
      const doubts = [
        ...flags(answer.duplicates, at).map((each) => `looks like ${each.identity_id} (similarity ${similarity(each.similarity)})`),
        ...flags(answer.mismatches, at).map((each) => `unlike the other ${count(each.faces, "face")}${each.similarity === null ? "" : ` (similarity ${similarity(each.similarity)})`}`),
      ];
      const tone = !face ? "refused" : doubts.length ? "possible" : "match";
      const words = face ? [judgement(face.quality)] : refused ? [`${plain(refused.code)}: ${refused.detail}`] : [];
      return make("li", { class: tone }, thumbnail(photo), make("div", {}, make("b", {}, face ? (doubts.length ? "Enrolled, but" : "Enrolled") : "Refused"), ...[...doubts, ...words].map((each) => make("span", {}, each))));
    }),
  );
  if (answer.identity_id === undefined) return byId("enroll-result").replaceChildren();
  lookalikes(answer.duplicates);
  const refused = answer.rejected.length ? `, ${answer.rejected.length} refused` : "";
  const isDoubtful = answer.duplicates.length + answer.mismatches.length > 0;
  report(`${answer.identity_id}: ${count(answer.faces.length, "photo")} enrolled${refused}.`, isDoubtful ? "possible" : "match");
}

/** @param {any[]} duplicates similar people */
function lookalikes(duplicates) {
  const items = duplicates.map((each) =>
    make("li", { class: "finding alike possible" }, portrait(each), make("span", {}, "Looks like ", make("b", {}, each.identity_id), `, who has ${count(each.faces, "face")}.`, make("small", {}, each.fpir === null ? "No error rates are known for this network." : `A stranger would look this much like somebody here ${often(each.fpir, each.fpir_range, "lookups")}.`))),
  );
  byId("enroll-result").replaceChildren(make("ul", { class: "findings" }, ...items));
}

function report(text, tone = "") {
  byId("enroll-result").prepend(make("p", { class: `verdict ${tone}` }, text));
  say(text);
}

function thumbnail(photo) {
  if (!addresses.has(photo)) addresses.set(photo, URL.createObjectURL(photo));
  // A browser that cannot show the photo, such as HEIC, leaves a plain square instead of a broken image.
  const onerror = (/** @type {Event} */ event) => /** @type {Element} */ (event.target).replaceWith(make("span", { class: "blank" }));
  return make("img", { src: addresses.get(photo), alt: "", onerror });
}

function forget() {
  for (const address of addresses.values()) URL.revokeObjectURL(address);
  addresses.clear();
  photos = [];
  isDone = false;
}
