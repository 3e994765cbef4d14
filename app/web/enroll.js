/** The tab Enroll: photos of one person, and the result of each. */

import { call, idempotencyKey } from "./api.js";
import { button, byId, make, say } from "./elements.js";
import { rich, t } from "./i18n.js";
import { livenessBadge } from "./liveness.js";
import { judgement, often, similarity } from "./numbers.js";
import { photoField } from "./photofield.js";
import { portrait } from "./portrait.js";
import { attempt, explained } from "./problems.js";
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
    if (!photos.length || isDone) return report(t(isDone ? "enroll.addOthers" : "enroll.addFirst"));
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
  byId("enroll-result").replaceChildren(make("p", { class: "hint" }, t("enroll.enrolling")));
  outcome(await call("POST", "enroll", { form, headers: { "Idempotency-Key": repeated } }));
}

/** Draw the photos to send. */
function list() {
  byId("enroll-result").replaceChildren();
  byId("enroll-list").replaceChildren(
    ...photos.map((photo) => {
      const remove = button(t("enroll.remove"), () => {
        photos = photos.filter((each) => each !== photo);
        list();
        byId("enroll-photos").querySelector("button").focus();
      }, "quiet small");
      remove.setAttribute("aria-label", t("enroll.removeOf", { name: photo.name }));
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
        ...flags(answer.duplicates, at).map((each) => t("enroll.looksLike", { name: each.identity_id, similarity: similarity(each.similarity) })),
        ...flags(answer.mismatches, at).map((each) => each.similarity === null ? t("enroll.unlike", { count: each.faces }) : t("enroll.unlikeBy", { count: each.faces, similarity: similarity(each.similarity) })),
      ];
      const tone = !face ? "refused" : doubts.length ? "possible" : "match";
      const words = [...doubts, ...(face ? [judgement(face.quality)] : [])].map((each) => make("span", {}, each));
      if (face?.liveness) words.push(livenessBadge(face.liveness));
      if (refused) words.push(make("span", {}, ...explained(refused)));
      return make("li", { class: tone }, thumbnail(photo), make("div", {}, make("b", {}, t(!face ? "enroll.refused" : doubts.length ? "enroll.enrolledBut" : "enroll.enrolled")), ...words));
    }),
  );
  if (answer.identity_id === undefined) return byId("enroll-result").replaceChildren();
  lookalikes(answer.duplicates);
  const [id, count, refused] = [answer.identity_id, answer.faces.length, answer.rejected.length];
  const isDoubtful = answer.duplicates.length + answer.mismatches.length > 0;
  report(refused ? t("enroll.outcomeRefused", { id, count, refused }) : t("enroll.outcome", { id, count }), isDoubtful ? "possible" : "match");
}

/** @param {any[]} duplicates similar people */
function lookalikes(duplicates) {
  const items = duplicates.map((each) =>
    make("li", { class: "finding alike possible" }, portrait(each), make("span", {}, ...rich("enroll.lookalikeFaces", { name: make("b", {}, each.identity_id), count: each.faces }), make("small", {}, chance(each)))),
  );
  byId("enroll-result").replaceChildren(make("ul", { class: "findings" }, ...items));
}

function chance({ fpir, fpir_range: range }) {
  if (fpir === null) return t("answer.noRates");
  return t("answer.chance", { stranger: t("answer.stranger"), target: t("answer.anybody"), often: often(fpir, range, "lookups") });
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
