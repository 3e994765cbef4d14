/** The tab Identify: photos or the live camera, answered in plain words. */

import { answerElements } from "./answer.js";
import { decide } from "./decision.js";
import { Picture, pictureOf, sizeOf } from "./drawing.js";
import { button, byId, make, say } from "./elements.js";
import { figuresItem, marksOf, summaryOf, titleOf } from "./faces.js";
import { t } from "./i18n.js";
import { Live } from "./live.js";
import { Lookups, identified } from "./lookups.js";
import { undo } from "./newcomer.js";
import { photoField } from "./photofield.js";
import { series } from "./phrases.js";
import { attempt, clearProblems, showProblem } from "./problems.js";
import { startRecent } from "./recent.js";
import { startSamples } from "./samples.js";
import { session } from "./session.js";
import { addPanel } from "./tabs.js";
import { startThreshold } from "./threshold.js";

/** @typedef {import("./lookups.js").Lookup} Lookup */

/** @type {(import("./answer.js").Answered & {picture: Picture | null}) | null} */
let scene = null;
/** @type {Lookup | null} */
let chosen = null;
/** @type {Live | null} */
let live = null;
/** @type {import("./newcomer.js").Enrolled | null} what was enrolled from the shown photo */
let news = null;
let said = "";

const recent = startRecent({ onChoose: (lookup) => void choose(lookup), onClear: reset });
const lookups = new Lookups((lookup, isAnswered) => {
  recent.draw(lookups.all, chosen);
  if (lookup === chosen && isAnswered) present();
});
const threshold = startThreshold(draw, empty);

/** Connect the tab. */
export function startIdentify() {
  photoField(byId("identify-photo"), {
    isMultiple: true,
    onPhotos: (photos) => void choose(lookups.add(photos)[0]),
    onLive: () => void watch(),
  });
  session.addEventListener("collection", reset);
  void startSamples((photo) => void choose(lookups.add([photo])[0]));
  addPanel("identify", { onShow: () => void threshold.load(), onHide: () => live?.stop() });
}

/** Show a lookup: its photo at once, its answer when it has come. */
async function choose(/** @type {Lookup} */ lookup) {
  live?.stop();
  clear();
  clearProblems();
  chosen = lookup;
  recent.draw(lookups.all, chosen);
  byId("identify-result").replaceChildren(make("p", { class: "hint" }, t("identify.looking")));
  const picture = await pictureOf(lookup.photo, t("identify.photoAlt"), point);
  if (chosen !== lookup) return;
  scene = { photo: lookup.photo, picture, source: picture && picture.media, size: picture ? sizeOf(picture) : [1, 1], faces: [], ignored: lookup.ignored, calibration: null, isLive: false };
  if (picture) stage(picture.element);
  if (["done", "failed"].includes(lookup.state)) present();
}

/** Show the answer of the chosen lookup, or its problem. */
function present() {
  if (!scene || !chosen) return;
  const { state, answer, error } = chosen;
  if (state === "done") {
    scene.faces = answer.faces;
    scene.calibration = answer.calibration;
    return draw();
  }
  const lookup = chosen;
  byId("identify-result").replaceChildren();
  showProblem(error, () => lookups.repeat(lookup));
}

/** Draw the faces, decided by the service's rule or by the slider. */
function draw() {
  if (!scene) return;
  const { picture, faces, size, ignored } = scene;
  const at = threshold.value();
  const verdicts = at === null ? faces.map((face) => face.verdict) : decide(faces, at);
  picture?.show(marksOf(faces, verdicts).filter((mark) => !ignored.has(mark.at)), size);
  const notes = [];
  if (news) notes.push(make("p", { class: "note row", tabIndex: -1 }, make("span", {}, news.text), button(t("page.undo"), () => void takeBack(), "small")));
  if (!picture) notes.push(make("p", { class: "note" }, t("identify.unshown")));
  if (at !== null && faces.length) notes.push(make("p", { class: "hint" }, t("identify.asSlider")));
  const result = byId("identify-result");
  const hadFocus = result.contains(document.activeElement);
  result.replaceChildren(...notes, ...answerElements(scene, { verdicts, people: threshold.people(), onEnrolled: learn, onIgnored: draw }));
  if (hadFocus) /** @type {HTMLElement} */ (result.querySelector("[tabindex]")).focus();
  byId("sure-faces").replaceChildren(...faces.map((face, place) => figuresItem(face, verdicts[place], place)));
  byId("sure-none").hidden = faces.length > 0;
  threshold.showMatched(faces.length ? t("identify.matched", { count: verdicts.filter((each) => each === "match").length, total: faces.length }) : null);
  empty();
  const summary = summaryOf(faces, verdicts);
  const now = faces.length > 1 ? t("answer.spoken", { summary, titles: series(...faces.map((face, place) => titleOf(face, verdicts[place]))) }) : summary;
  if (now !== said) say((said = now));
}

/** Look the photo up again after its face was enrolled: the answer then has the new name. */
function learn(/** @type {import("./newcomer.js").Enrolled | null} */ enrolled) {
  news = enrolled;
  if (chosen) lookups.repeat(chosen);
}

async function takeBack() {
  const enrolled = news;
  if (enrolled) await attempt(byId("identify-result"), async () => (await undo(enrolled), learn(null)));
}

/** Go to the face of a clicked box; the name of an unknown one is asked for. */
function point(/** @type {number} */ at) {
  const item = byId("identify-result").querySelector(`[data-face="${at}"]`);
  item?.scrollIntoView({ block: "nearest" });
  item?.focus();
  item?.querySelector(".begin")?.click();
}

async function watch() {
  if (live) return;
  clear();
  chosen = null;
  clearProblems();
  recent.draw(lookups.all, null);
  const video = make("video", { "aria-label": t("identify.cameraAlt") });
  const picture = new Picture(video);
  const stop = button(t("identify.stopCamera"), () => live?.stop());
  const keep = button(t("identify.keep"), () => scene && void choose(lookups.add([scene.photo])[0]));
  stage(picture.element, make("div", { class: "row" }, stop, keep));
  const look = async (/** @type {File} */ frame, /** @type {AbortSignal} */ signal) => {
    const { faces, calibration } = await identified(frame, signal);
    const source = await createImageBitmap(frame);
    if (signal.aborted) return;
    scene = { photo: frame, picture, source, size: [source.width, source.height], faces, ignored: new Set(), calibration, isLive: true };
    draw();
  };
  live = new Live(video, look, (error) => {
    live = null;
    if (chosen) return;
    clear();
    if (error) showProblem(error, () => void watch());
  });
  void live.run();
  stop.focus();
}

function stage(/** @type {Node[]} */ ...children) {
  byId("identify-stage").replaceChildren(...children);
  byId("identify-stage").hidden = false;
}

/** Explain the first step while nobody is enrolled. */
function empty() {
  byId("identify-empty").hidden = threshold.people() !== 0 || scene !== null;
}

/** Show no photo. */
function clear() {
  [scene, news, said] = [null, null, ""];
  for (const id of ["identify-stage", "identify-result", "sure-faces"]) byId(id).replaceChildren();
  byId("identify-stage").hidden = true;
  byId("sure-none").hidden = false;
  threshold.showMatched(null);
  empty();
}

/** Forget all lookups. */
function reset() {
  lookups.clear();
  chosen = null;
  live?.stop();
  clear();
  recent.draw([], null);
}
