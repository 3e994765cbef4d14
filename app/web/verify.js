/** The tab Verify: two photos, or a photo and an enrolled person. */

import { call } from "./api.js";
import { startChallenge, stopChallenge } from "./challenge.js";
import { pictureOf, sizeOf } from "./drawing.js";
import { byId, make, say } from "./elements.js";
import { t } from "./i18n.js";
import { livenessBadge } from "./liveness.js";
import { hintsOf, judgement, often, rate, similarity } from "./numbers.js";
import { photoField } from "./photofield.js";
import { clauses, sentences } from "./phrases.js";
import { pickPerson } from "./picker.js";
import { attempt } from "./problems.js";
import { collection } from "./session.js";
import { addPanel } from "./tabs.js";

const PHOTOS = { match: "verify.photosMatch", possible: "verify.photosPossible", no_match: "verify.photosNo" };
const PERSON = { match: "answer.is", possible: "answer.mayBe", no_match: "verify.personNo" };
const MARKS = { match: "verify.markSame", possible: "verify.markPerhaps", no_match: "verify.markDifferent" };
/** @type {import("./picker.js").Person | null} */
let picked = null;
/** @type {Record<"probe" | "reference", {photo: File | null, picture: import("./drawing.js").Picture | null}>} */
const chosen = { probe: { photo: null, picture: null }, reference: { photo: null, picture: null } };

/** Connect the tab. */
export function startVerify() {
  const fields = /** @type {const} */ (["probe", "reference"]).map((side) =>
    photoField(byId(`verify-${side}`), { onPhotos: ([photo]) => void take(side, photo) }),
  );
  const form = byId("verify-form");
  form.onchange = () => {
    const isPerson = form.elements.against.value === "person";
    byId("verify-with-photo").hidden = isPerson;
    byId("verify-with-person").hidden = !isPerson;
  };
  byId("verify-find").onclick = async () => {
    const person = await pickPerson(t("verify.who"));
    if (!person) return;
    picked = person;
    byId("verify-id").value = person.identity_id;
  };
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const lacking = lack(form.elements.against.value);
    if (lacking) return result(make("p", { class: "verdict" }, lacking));
    void attempt(form, () => verify(form.elements.against.value), () => result());
  };
  startChallenge();
  addPanel("verify", {
    onHide: () => {
      fields.forEach((each) => each.close());
      stopChallenge();
    },
  });
}

async function take(side, photo) {
  result();
  const picture = await pictureOf(photo, t(side === "probe" ? "verify.photoAlt" : "verify.referenceAlt"));
  chosen[side] = { photo, picture };
  const stage = byId(`verify-${side}-stage`);
  stage.replaceChildren(picture ? picture.element : make("p", { class: "note" }, photo.name));
  stage.hidden = false;
}

function lack(against) {
  if (!chosen.probe.photo) return t("verify.chooseFirst");
  if (against === "person") return byId("verify-id").value.trim() ? null : t("verify.enterId");
  return chosen.reference.photo ? null : t("verify.chooseOther");
}

async function verify(against) {
  const form = new FormData();
  form.append("probe", /** @type {File} */ (chosen.probe.photo));
  if (against === "person") form.append("identity_id", byId("verify-id").value.trim());
  else form.append("reference", /** @type {File} */ (chosen.reference.photo));
  form.append("collection", collection());
  result(make("p", { class: "hint" }, t("verify.comparing")));
  const answer = await call("POST", "verify", { form });
  const mark = (/** @type {any} */ picture, /** @type {any} */ face) => {
    const tone = answer.verdict === "no_match" ? "unknown" : answer.verdict;
    if (picture && face.box) picture.show([{ at: 0, box: face.box, tone, lines: [t(MARKS[answer.verdict])] }], sizeOf(picture));
  };
  mark(chosen.probe.picture, answer.probe_face);
  if (against === "photo") mark(chosen.reference.picture, answer.reference_face);
  const words = against === "person" ? t(PERSON[answer.verdict], { name: nameOf(byId("verify-id").value.trim()) }) : t(PHOTOS[answer.verdict]);
  result(make("p", { class: `verdict ${answer.verdict}` }, words), make("p", {}, reasonOf(answer, against)), livenessBadge(answer.probe_face.liveness), figures(answer));
  say(sentences(words, reasonOf(answer, against)));
}

/** @returns {string} the person's name if the dialog gave it */
const nameOf = (/** @type {string} */ id) => (picked?.identity_id === id && picked.name) || id;

/** @param {any} answer its similarity may be hidden from the key */
function reasonOf(answer, against) {
  const hints = clauses(...hintsOf(answer.probe_face.quality));
  const poor = answer.low_quality && (hints ? t("verify.hardBecause", { hints }) : t("verify.hard"));
  if (answer.similarity === null) return sentences(t("verify.notAlike"), poor);
  if (answer.fmr === null) return sentences(t("answer.noRates"), poor);
  const chance = often(answer.fmr, answer.fmr_range, "comparisons");
  return sentences(t(against === "person" ? "verify.alikeAs" : "verify.alikePhotos", { often: chance }), poor);
}

/** @returns {HTMLElement} similarity, error rate and quality */
function figures({ similarity: alike, threshold, fmr, fmr_range: range, probe_face: probe, reference_face: reference }) {
  const facts = [
    [t("verify.similarity"), alike === null ? t("verify.tooLow") : similarity(alike)],
    [t("threshold.similarity"), similarity(threshold)],
    [t("verify.fmr"), rate(fmr, range)],
    [t("verify.photo"), judgement(probe.quality)],
    [t("verify.against"), reference.quality ? judgement(reference.quality) : t("verify.enrolledFaces", { count: reference.faces })],
  ];
  return make("details", { class: "card sure" }, make("summary", {}, t("identify.sure")), make("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
}

function result(...children) {
  byId("verify-result").replaceChildren(...children.filter(Boolean));
}
