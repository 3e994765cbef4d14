/** The gallery's health check, page by page: each finding shows the faces in question, and what fixes it. */

import { at, call } from "./api.js";
import { button, byId, make } from "./elements.js";
import { enrollMore } from "./enroll.js";
import { rich, t } from "./i18n.js";
import { facePath, factsOf, nameOf } from "./identity.js";
import { findingOf, forgetJudged, isJudged, judge } from "./judged.js";
import { faceStrip, mergePeople } from "./merge.js";
import { giveFaces, moveFaces } from "./move.js";
import { quality, rate, similarity } from "./numbers.js";
import { clauses, sentences } from "./phrases.js";
import { portrait } from "./portrait.js";
import { attempt } from "./problems.js";
import { collection, session } from "./session.js";
import { addPanel, addressOf } from "./tabs.js";
import { deleteLater, flush } from "./undo.js";

const SHOWN = 4; // faces of a person

let stopping = new AbortController();

/** Connect the tab. */
export function startHealth() {
  const stop = () => stopping.abort();
  byId("health-stop").onclick = stop;
  byId("health-start").onclick = () => void attempt(byId("health-start"), check);
  session.addEventListener("collection", () => {
    stop();
    byId("findings").replaceChildren();
    byId("health-progress").textContent = "";
  });
  addPanel("health", { onHide: () => (stop(), void flush()) });
}

async function check() {
  await flush();
  const { signal } = (stopping = new AbortController());
  byId("findings").replaceChildren();
  byId("health-stop").hidden = false;
  byId("health-hidden").hidden = true;
  let [people, found, hidden, cursor] = [0, 0, 0, null];
  try {
    do {
      const page = await call("GET", at("collections/{}/health", collection()), { query: { cursor }, signal });
      const duplicates = page.duplicates.filter((/** @type {any} */ each) => !isJudged(nameOfDuplicate(each)));
      const odd = page.foreign_faces.filter((/** @type {any} */ each) => !isJudged(nameOfForeign(each)));
      hidden += page.duplicates.length - duplicates.length + page.foreign_faces.length - odd.length;
      const items = [...duplicates.map(duplicate), ...odd.map(foreign), ...page.poor_faces.map(poor)];
      byId("findings").append(...items);
      people += page.identities;
      found += items.length;
      cursor = page.next_cursor;
      const counts = { checked: t("health.checked", { count: people }), found: t("health.found", { count: found }) };
      byId("health-progress").textContent = t(cursor ? "health.progress" : "health.result", counts);
    } while (cursor);
  } finally {
    byId("health-stop").hidden = true;
    if (hidden) showHidden(hidden);
    if (signal.aborted) byId("health-progress").textContent = sentences(byId("health-progress").textContent, t("health.stopped"));
  }
}

const nameOfDuplicate = (/** @type {any} */ { first, second }) => findingOf("duplicate", [first.face_id, second.face_id]);
const nameOfForeign = (/** @type {any} */ { face_id }) => findingOf("foreign", [face_id]);

/** Report the findings that were judged to be right before, and offer to show them again. */
function showHidden(/** @type {number} */ count) {
  const again = () => (forgetJudged(), void attempt(byId("health-start"), check));
  byId("health-hidden").replaceChildren(make("span", {}, t("judged.hidden", { count })), button(t("judged.show"), again, "small quiet"));
  byId("health-hidden").hidden = false;
}

/** Two entries that look like one person. */
function duplicate(/** @type {any} */ each) {
  const { first, second } = each;
  const note = t("health.pairFigures", { similarity: similarity(each.similarity), fpir: rate(each.fpir, each.fpir_range) });
  const item = finding(t("health.duplicate"), note, [side(first), side(second)]);
  const merge = async (/** @type {() => void} */ onUndo) => (await mergePeople([first, second], { note, onUndo })) && t("health.merged");
  return choices(item, [[t("health.compare"), merge], [t("health.different"), async () => (judge(nameOfDuplicate(each)), t("health.keptApart"))]]);
}

/** A face that is unlike the others of its person. */
function foreign(/** @type {any} */ each) {
  const { identity, looks_like: like } = each;
  const alike = { similarity: similarity(each.similarity), count: each.others, quality: quality(each.quality) };
  const figures = clauses(t("health.foreignFigures", alike), each.is_undecided && t("health.undecided"));
  const item = finding(t("health.foreign"), figures, [one(each, t("health.thisFace")), side(identity, [each.face_id], "health.othersOf"), like && side(like.person, [], "health.looksLike")]);
  const give = async (/** @type {() => void} */ onUndo) => (await giveFaces(identity, [each], like.person, onUndo)) && t("health.movedTo", { name: nameOf(like.person) });
  const ask = async (/** @type {() => void} */ onUndo) => (await moveFaces(identity, [each], onUndo)) && t("health.moved");
  return choices(item, [like && [t("health.moveTo", { name: nameOf(like.person) }), give], [t("health.move"), ask], [t("health.delete"), remover(each)], [t("health.right"), async () => (judge(nameOfForeign(each)), t("health.kept"))]]);
}

/** A face of low quality. */
function poor(/** @type {any} */ each) {
  const item = finding(t("health.poor"), t("health.poorFigures", { quality: quality(each.quality), least: quality(each.least) }), [one(each, t("health.thisFace")), side(each.identity, [each.face_id], "health.othersOf")]);
  const enroll = async () => (enrollMore(each.identity.identity_id), null);
  return choices(item, [[t("health.enroll"), enroll], [t("health.delete"), remover(each)]]);
}

function remover(/** @type {any} */ each) {
  return async (/** @type {() => void} */ onUndo) => {
    deleteLater([facePath(each)], t("faces.deleted", { count: 1, name: nameOf(each.identity) }), onUndo);
    return t("health.deleted");
  };
}

function one(/** @type {any} */ each, /** @type {string} */ words) {
  return make("div", { class: "side odd" }, make("div", { class: "strip" }, portrait({ face_id: each.face_id, identity_id: each.identity.identity_id, name: each.identity.name }, "large")), make("span", {}, words));
}

/** A person with some faces, and a link to their page. */
function side(/** @type {any} */ person, /** @type {string[]} */ without = [], key = "") {
  const link = make("a", { href: addressOf("people", person.identity_id) }, nameOf(person));
  return make("div", { class: "side" }, faceStrip(person, SHOWN, without), make("span", {}, ...(key ? rich(key, { name: link }) : [link])), make("small", {}, factsOf(person)));
}

function finding(/** @type {string} */ title, /** @type {string} */ figures, /** @type {(HTMLElement | null)[]} */ sides) {
  return make("li", { class: "finding possible" }, make("h3", {}, title), make("small", {}, figures), make("div", { class: "sides" }, ...sides));
}

/**
 * @param {HTMLElement} item
 * @param {([string, (onUndo: () => void) => Promise<string | null>] | null)[]} all words, and what is done; it returns the outcome, or null
 */
function choices(item, all) {
  const before = () => {
    item.className = "finding possible";
    item.replaceChildren(...parts);
  };
  const row = make("div", { class: "row" });
  for (const choice of all) {
    if (!choice) continue;
    const [words, work] = choice;
    row.append(button(words, async () => {
      const outcome = await work(before);
      if (outcome) done(item, outcome);
    }, "small"));
  }
  item.append(row);
  const parts = [...item.childNodes];
  return item;
}

function done(/** @type {HTMLElement} */ item, /** @type {string} */ outcome) {
  item.className = "finding match";
  item.replaceChildren(make("h3", { tabIndex: -1 }, outcome), item.querySelector(".sides"));
  item.querySelector("h3")?.focus({ preventScroll: true });
}
