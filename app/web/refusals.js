/** The items that a job refused, as a table: with thumbnails where the browser still has the photos. */

import { at, call } from "./api.js";
import { personOf } from "./chosen.js";
import { csv, save } from "./csv.js";
import { button, make } from "./elements.js";
import { isKnown, t } from "./i18n.js";
import { plain } from "./numbers.js";

const PAGE = 200;
const FACE_RULES = { main: "enroll.faceMain", largest: "enroll.faceLargest", only: "enroll.faceOnly" };

/** @typedef {import("./chosen.js").Photo} Photo */
/** @typedef {{item: string, code: string, detail: string}} Refusal */

/** @typedef {(photos: Photo[], face: string) => void} Retry imports photos by another rule */

/**
 * @param {HTMLElement} host
 * @param {any} job
 * @param {Map<string, Photo>} [photos] of the browser, by their path in the import
 * @param {Retry | null} [onRetry]
 */
export async function showRefusals(host, job, photos = new Map(), onRetry = null) {
  const refusals = await refusalsOf(job.job_id);
  const photoOf = (/** @type {Refusal} */ each) => photos.get(each.item) ?? null;
  const body = make("tbody", {});
  const note = make("p", { class: "hint", role: "status" });
  const filter = make("select", { onchange: () => draw() }, make("option", { value: "" }, t("refusals.all")), ...codesOf(refusals).map(([code, count]) => make("option", { value: code }, t("refusals.ofCode", { reason: reasonOf(code), count }))));
  const rule = make("select", {}, ...Object.entries(FACE_RULES).map(([value, key]) => make("option", { value }, t(key))));
  const retry = button("", () => onRetry?.(again(), rule.value), "small main");
  const listed = () => refusals.filter((each) => !filter.value || each.code === filter.value);
  const again = () => /** @type {Photo[]} */ (listed().map(photoOf).filter(Boolean));
  const draw = () => {
    for (const image of body.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    body.replaceChildren(...listed().map((each) => row(each, photoOf(each))));
    const count = again().length;
    retry.textContent = t("refusals.retry", { count });
    retry.hidden = rule.parentElement.hidden = !onRetry || !count;
    note.textContent = [job.errors > refusals.length && t("refusals.unlisted", { count: job.errors - refusals.length }), onRetry && !count && t("refusals.gone"), filter.value === "low_quality" && t("refusals.quality")].filter(Boolean).join(" ");
    note.hidden = !note.textContent;
  };
  rule.value = "largest";
  host.replaceChildren(
    make("h4", { tabIndex: -1 }, t("refusals.title", { count: job.errors })),
    make("div", { class: "row" }, make("label", {}, t("refusals.reason"), " ", filter), button(t("refusals.csv"), () => saveTable(listed()), "small quiet")),
    note,
    make("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": t("refusals.title", { count: job.errors }) }, make("table", {}, head(), body)),
    make("div", { class: "row again" }, make("label", {}, t("refusals.rule"), " ", rule), retry),
  );
  host.classList.add("refusals");
  draw();
}

/** @returns {Promise<Refusal[]>} those that the service keeps, at most a thousand */
async function refusalsOf(/** @type {string} */ jobId) {
  const found = [];
  let cursor = null;
  do {
    const page = await call("GET", at("jobs/{}/errors", jobId), { query: { limit: PAGE, cursor } });
    found.push(...page.errors);
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

function codesOf(/** @type {Refusal[]} */ refusals) {
  const counts = new Map();
  for (const { code } of refusals) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].sort((one, two) => two[1] - one[1]);
}

const reasonOf = (/** @type {string} */ code) => (isKnown(`errors.${code}`) ? t(`errors.${code}`) : plain(code));
const personIn = (/** @type {string} */ item) => (item.includes("/") ? personOf(item) : "");

const head = () => make("thead", {}, make("tr", {}, ...[t("refusals.photo"), t("refusals.file"), t("refusals.reason")].map((text) => make("th", { scope: "col" }, text))));

function row(/** @type {Refusal} */ refusal, /** @type {Photo | null} */ photo) {
  const thumb = make("td", {});
  if (photo) void photo.blob().then((blob) => thumb.append(thumbnail(blob)));
  const person = personIn(refusal.item);
  const file = refusal.item.split("/").pop() ?? "";
  return make(
    "tr",
    {},
    thumb,
    make("td", {}, make("b", {}, person || file), person ? make("small", {}, file) : null),
    make("td", {}, reasonOf(refusal.code), make("small", {}, refusal.detail)),
  );
}

/** @returns {HTMLImageElement} removes itself if the browser cannot show it either */
export function thumbnail(/** @type {Blob} */ blob) {
  const image = make("img", { alt: "", loading: "lazy", src: URL.createObjectURL(blob) });
  image.onerror = () => image.remove();
  return image;
}

function saveTable(/** @type {Refusal[]} */ refusals) {
  const rows = refusals.map(({ item, code, detail }) => [item, personIn(item), code, reasonOf(code), detail]);
  save(csv([["file", "person", "code", "reason", "detail"], ...rows]), "refused.csv");
}
