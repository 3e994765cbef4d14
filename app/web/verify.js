/** The tab Verify: two photos, or a photo and an enrolled person. */

import { call } from "./api.js";
import { pictureOf, sizeOf } from "./drawing.js";
import { byId, make, say } from "./elements.js";
import { count, judgement, quality, rate, similarity } from "./numbers.js";
import { photoField } from "./photofield.js";
import { pickPerson } from "./picker.js";
import { attempt } from "./problems.js";
import { collection } from "./session.js";
import { addPanel } from "./tabs.js";

const WORDS = { match: "The same person", possible: "Possibly the same person", no_match: "Different people" };
/** @type {Record<"probe" | "reference", {photo: File | null, picture: import("./drawing.js").Picture | null}>} */
const chosen = { probe: { photo: null, picture: null }, reference: { photo: null, picture: null } };

/** Connect the tab. */
export function startVerify() {
  const fields = /** @type {const} */ (["probe", "reference"]).map((side) =>
    photoField(byId(`verify-${side}`), { what: "a photo", onPhotos: ([photo]) => void take(side, photo) }),
  );
  const form = byId("verify-form");
  form.onchange = () => {
    const isPerson = form.elements.against.value === "person";
    byId("verify-with-photo").hidden = isPerson;
    byId("verify-with-person").hidden = !isPerson;
  };
  byId("verify-find").onclick = async () => {
    const person = await pickPerson("Who should it be?");
    if (person) byId("verify-id").value = person.identity_id;
  };
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const lacking = lack(form.elements.against.value);
    if (lacking) return result(make("p", { class: "verdict" }, lacking));
    void attempt(form, () => verify(form.elements.against.value), () => result());
  };
  addPanel("verify", { onHide: () => fields.forEach((each) => each.close()) });
}

async function take(side, photo) {
  result();
  const picture = await pictureOf(photo, side === "probe" ? "The photo" : "The photo it is compared with");
  chosen[side] = { photo, picture };
  const stage = byId(`verify-${side}-stage`);
  stage.replaceChildren(picture ? picture.element : make("p", { class: "note" }, photo.name));
  stage.hidden = false;
}

function lack(against) {
  if (!chosen.probe.photo) return "Choose a photo first.";
  if (against === "person") return byId("verify-id").value.trim() ? null : "Enter the id of the person to compare with.";
  return chosen.reference.photo ? null : "Choose the photo to compare with.";
}

async function verify(against) {
  const form = new FormData();
  form.append("probe", /** @type {File} */ (chosen.probe.photo));
  if (against === "person") form.append("identity_id", byId("verify-id").value.trim());
  else form.append("reference", /** @type {File} */ (chosen.reference.photo));
  form.append("collection", collection());
  result(make("p", { class: "hint" }, "Comparing …"));
  const answer = await call("POST", "verify", { form });
  const mark = (/** @type {any} */ picture, /** @type {any} */ face) => {
    const tone = answer.verdict === "no_match" ? "unknown" : answer.verdict;
    if (picture && face.box) picture.show([{ box: face.box, tone, lines: [`q ${quality(face.quality.score)}`] }], sizeOf(picture));
  };
  mark(chosen.probe.picture, answer.probe_face);
  if (against === "photo") mark(chosen.reference.picture, answer.reference_face);
  const { reference_face: reference, probe_face: probe } = answer;
  result(
    make("p", { class: `verdict ${answer.verdict}` }, WORDS[answer.verdict]),
    make("p", {}, alike(answer)),
    make("p", { class: "hint" }, `Photo: ${judgement(probe.quality)}. Compared with ${reference.quality ? `a photo: ${judgement(reference.quality)}` : count(reference.faces, "enrolled face")}.${answer.low_quality ? " Too poor for a firm match." : ""}`),
  );
  say(`${WORDS[answer.verdict]}.${answer.similarity === null ? "" : ` Similarity ${similarity(answer.similarity)}.`}`);
}

/** @param {any} answer its similarity may be hidden from the key */
function alike(answer) {
  const needed = `a match needs ${similarity(answer.threshold)}`;
  if (answer.similarity === null) return `The similarity is too low to be shown; ${needed}.`;
  return `Similarity ${similarity(answer.similarity)}; ${needed}. Share of other people who would be as similar: ${rate(answer.fmr, answer.fmr_range)} (FMR).`;
}

function result(...children) {
  byId("verify-result").replaceChildren(...children);
}
