/** Import people from a folder, many photos or a ZIP: choose, look at what will be enrolled, then import. */

import { Problem } from "./api.js";
import { arranged, choiceOf, droppedFiles, filesOf } from "./chosen.js";
import { button, byId, make, say } from "./elements.js";
import { isKnown, t } from "./i18n.js";
import { ImportRun } from "./importrun.js";
import { attempt } from "./problems.js";
import { showRefusals, thumbnail } from "./refusals.js";

const THUMBNAILS = 8;

/** @typedef {import("./chosen.js").Photo} Photo */

/** @type {import("./chosen.js").Choice | null} */
let choice = null;
let onJob = () => {};

/**
 * Connect the import.
 *
 * @param {() => void} changed is called when a job of it starts or ends
 */
export function startImport(changed) {
  onJob = changed;
  for (const kind of ["folder", "photos", "file"]) {
    byId(`import-choose-${kind}`).onclick = () => byId(`import-${kind}`).click();
    byId(`import-${kind}`).onchange = () => {
      const found = filesOf(byId(`import-${kind}`).files);
      if (found.length) void attempt(byId("import"), () => preview(found));
      byId(`import-${kind}`).value = "";
    };
  }
  const drop = byId("import-drop");
  drop.ondragover = (/** @type {DragEvent} */ event) => (event.preventDefault(), drop.classList.add("over"));
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer) void attempt(byId("import"), async () => preview(await droppedFiles(/** @type {DataTransfer} */ (event.dataTransfer))));
  };
  byId("import-person").onchange = drawPreview;
  byId("import-other").onclick = reset;
  byId("import-form").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    begin();
  };
}

async function preview(/** @type {import("./chosen.js").Found[]} */ found) {
  choice = await choiceOf(found);
  if (!choice.photos.length && !choice.zip) throw new Problem({ title: t("import.nothing"), code: "file_missing" });
  byId("import-person").value = choice.isFlat ? "file" : "folder";
  byId("import-refused").replaceChildren();
  byId("import-run").hidden = true;
  drawPreview();
  shown("import-form");
  byId("import-start").focus();
}

function drawPreview() {
  if (!choice) return;
  const photos = chosenPhotos();
  const people = new Set(photos.map((each) => each.person)).size;
  const counts = { photos: t("import.photoCount", { count: photos.length }), people: t("import.peopleCount", { count: people }) };
  byId("import-found").textContent = photos.length ? t("import.found", counts) : t("import.zipUnreadable");
  byId("import-ignored").textContent = choice.ignored ? t("import.ignored", { count: choice.ignored }) : "";
  const first = [...new Map(photos.map((each) => [each.person, each])).values()].slice(0, THUMBNAILS);
  byId("import-first").replaceChildren(...first.map(card));
  say(byId("import-found").textContent);
}

function card(/** @type {Photo} */ photo) {
  const made = make("li", {}, make("div", {}, photo.person));
  void photo.blob().then((blob) => made.prepend(thumbnail(blob)), () => {});
  return made;
}

const isByFile = () => byId("import-person").value === "file";

const chosenPhotos = () => (choice ? arranged(choice.photos, isByFile()) : []);

function begin() {
  if (!choice) return;
  // What the service calls an item: the path in our ZIP, or in the chosen one with or without a folder around all.
  const known = new Map(chosenPhotos().map((each, at) => [choice?.zip ? choice.photos[at].path : each.path, each]));
  if (choice.zip) for (const [path, photo] of [...known]) known.set(path.slice(path.indexOf("/") + 1), photo);
  start({ photos: chosenPhotos(), zip: choice.zip, face: byId("import-face").value, isFlat: choice.zip !== null && isByFile() }, known);
}

function start(/** @type {import("./importrun.js").Order} */ order, /** @type {Map<string, Photo>} */ known) {
  shown("import-run");
  byId("import-refused").replaceChildren();
  const run = new ImportRun(byId("import-run"), order, () => (run.isCancelled ? reset() : paused(run, known)));
  void proceed(run, known);
}

async function proceed(/** @type {ImportRun} */ run, /** @type {Map<string, Photo>} */ known) {
  let isEnded = false;
  await attempt(byId("import"), async () => {
    const job = await run.run();
    isEnded = true;
    ended(job);
    onJob();
    if (job.errors) await showRefusals(byId("import-refused"), job, known, (photos, face) => start({ photos, zip: null, face, isFlat: false }, new Map(photos.map((each) => [each.path, each]))));
  });
  if (!isEnded && !run.isCancelled) paused(run, known);
}

function paused(/** @type {ImportRun} */ run, /** @type {Map<string, Photo>} */ known) {
  if (run.isCancelled || run.isPaused) return;
  run.paused();
  const resume = button(t("import.resume"), () => (resume.remove(), void proceed(run, known)), "small main");
  run.pause.after(resume);
  resume.focus();
}

function ended(/** @type {any} */ job) {
  const result = job.result ?? {};
  const reason = job.failure ? (isKnown(`errors.${job.failure.code}`) ? t(`errors.${job.failure.code}`) : job.failure.detail) : "";
  const counts = { enrolled: result.enrolled ?? 0, known: result.known ?? 0, refused: result.refused ?? job.errors };
  const text = job.failure ? t("import.failed", { reason }) : t("import.result", counts);
  const cancelled = job.state === "cancelled" ? [make("p", { class: "hint" }, t("import.cancelled"))] : [];
  const tone = job.failure ? "refused" : job.state === "cancelled" ? "unknown" : "match";
  byId("import-run").replaceChildren(make("p", { class: `verdict ${tone}` }, text), ...cancelled, button(t("import.more"), reset, "small"));
  say(text);
}

function reset() {
  choice = null;
  byId("import-refused").replaceChildren();
  byId("import-first").replaceChildren();
  shown("import-drop");
  byId("import-choose-folder").focus();
}

function shown(/** @type {string} */ id) {
  for (const each of ["import-drop", "import-form", "import-run"]) byId(each).hidden = each !== id;
}
