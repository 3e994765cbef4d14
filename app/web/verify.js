/** The tab Verify: two photos, or a photo and an enrolled person. */

import { call } from "./api.js";
import { pictureOf, sizeOf } from "./drawing.js";
import { byId, make, say } from "./elements.js";
import { count, judgement, often, rate, similarity } from "./numbers.js";
import { photoField } from "./photofield.js";
import { pickPerson } from "./picker.js";
import { attempt } from "./problems.js";
import { collection } from "./session.js";
import { addPanel } from "./tabs.js";

const PHOTOS = { match: "Both photos show the same person.", possible: "Both photos may show the same person.", no_match: "The photos show different people." };
const PERSON = { match: "This is ", possible: "This may be ", no_match: "This is not " };
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
    const person = await pickPerson("Who should it be?");
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
    if (picture && face.box) picture.show([{ at: 0, box: face.box, tone, lines: [{ match: "✓ same", possible: "? perhaps", no_match: "different" }[answer.verdict]] }], sizeOf(picture));
  };
  mark(chosen.probe.picture, answer.probe_face);
  if (against === "photo") mark(chosen.reference.picture, answer.reference_face);
  const words = against === "person" ? `${PERSON[answer.verdict]}${nameOf(byId("verify-id").value.trim())}.` : PHOTOS[answer.verdict];
  result(make("p", { class: `verdict ${answer.verdict}` }, words), make("p", {}, reasonOf(answer, against)), figures(answer));
  say(`${words} ${reasonOf(answer, against)}`);
}

/** @returns {string} the person's name if the dialog gave it */
const nameOf = (/** @type {string} */ id) => (picked?.identity_id === id && picked.name) || id;

/** @param {any} answer its similarity may be hidden from the key */
function reasonOf(answer, against) {
  const poor = answer.low_quality ? ` The face is hard to recognise in a photo${answer.probe_face.quality.hints.length ? `: ${answer.probe_face.quality.hints.join("; ")}` : ""}.` : "";
  if (answer.similarity === null) return `The faces are not alike.${poor}`;
  if (answer.fmr === null) return `No error rates are known for this network.${poor}`;
  const others = against === "person" ? "Somebody else would look this much like them" : "Photos of two different people would look this much alike";
  return `${others} ${often(answer.fmr, answer.fmr_range, "comparisons")}.${poor}`;
}

/** @returns {HTMLElement} similarity, error rate and quality */
function figures({ similarity: alike, threshold, fmr, fmr_range: range, probe_face: probe, reference_face: reference }) {
  const facts = [
    ["Similarity", alike === null ? "too low to be shown" : similarity(alike)],
    ["Similarity that makes a match", similarity(threshold)],
    ["FMR: pairs of strangers this similar", rate(fmr, range)],
    ["Photo", judgement(probe.quality)],
    ["Compared with", reference.quality ? judgement(reference.quality) : count(reference.faces, "enrolled face")],
  ];
  return make("details", { class: "card sure" }, make("summary", {}, "How sure is that?"), make("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
}

function result(...children) {
  byId("verify-result").replaceChildren(...children);
}
