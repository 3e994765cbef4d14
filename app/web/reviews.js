/** The view of reviews: matches that people decide, the face of the probe next to those of the candidates. */

import { may } from "./account.js";
import { Problem, at, call } from "./api.js";
import { allCollections } from "./collections.js";
import { button, make, say } from "./elements.js";
import { rich, t } from "./i18n.js";
import { nameOf } from "./identity.js";
import { boundOf, moment, often, quality, similarity } from "./numbers.js";
import { clauses } from "./phrases.js";
import { portrait, showImage } from "./portrait.js";
import { attempt, latest, titleOf } from "./problems.js";
import { collection, peopleChanged, useCollection } from "./session.js";
import { addressOf, show } from "./tabs.js";

const PAGE = 20;
const STATES = ["open", "confirmed", "rejected", "expired"];

/** @type {import("./admin.js").View} */
export async function showReviews(host, about, signal) {
  const known = (await allCollections()).filter((/** @type {any} */ each) => each.review !== "off" || each.name === about);
  if (signal.aborted) return;
  const chosen = known.find((each) => each.name === (about || collection())) ?? known[0];
  const head = make("div", { class: "view-head" }, make("h2", {}, t("admin.reviews")));
  if (!chosen) return host.replaceChildren(head, make("div", { class: "card" }, make("p", {}, make("b", {}, t("reviews.off"))), make("p", {}, ...rich("reviews.switch_on", { collections: make("a", { href: addressOf("admin", "collections") }, t("admin.collections")) }))));
  useCollection(chosen.name); // the images of faces are of the collection in use
  const where = picker("reviews.collection", known.map((each) => [each.name, each.name]), chosen.name);
  const state = picker("reviews.state", STATES.map((each) => [each, t(`reviews.state_${each}`)]), "open");
  const list = make("ol", { class: "findings reviews", "aria-label": t("admin.reviews") });
  const count = make("p", { class: "hint", role: "status" });
  const more = button(t("admin.more"), () => void next(), "quiet");
  let cursor = null;
  const next = latest(async (until) => {
    const page = await call("GET", at("collections/{}/reviews", chosen.name), { query: { state: state.input.value, cursor, limit: PAGE }, signal: until });
    cursor = page.next_cursor;
    more.hidden = cursor === null;
    list.append(...page.reviews.map((/** @type {any} */ each) => item(each, page.reviewers, until)));
    count.textContent = list.childElementCount ? clauses(t("reviews.waiting", { count: page.open }), page.reviewers > 1 && t("reviews.two")) : t("reviews.none");
  }, signal);
  where.input.onchange = () => show("admin", `reviews/${where.input.value}`);
  state.input.onchange = () => {
    [cursor] = [null];
    list.replaceChildren();
    void next();
  };
  host.replaceChildren(head, make("p", { class: "hint" }, t("reviews.about")), make("form", { class: "filters-grid", autocomplete: "off", "aria-label": t("reviews.filter") }, where.label, state.label), count, list, more);
  void next();
}

function picker(/** @type {string} */ key, /** @type {[string, string][]} */ options, /** @type {string} */ value) {
  const input = make("select", {}, ...options.map(([each, text]) => make("option", { value: each, selected: each === value }, text)));
  return { input, label: make("label", {}, t(key), input) };
}

/** An entry of the queue. While it has the focus, C confirms and R rejects. */
function item(/** @type {any} */ review, /** @type {number} */ reviewers, /** @type {AbortSignal} */ signal) {
  const shown = make("li", { class: "finding possible", tabIndex: 0, "aria-labelledby": `review-${review.review_id}` });
  const fill = (/** @type {any} */ each) => fillItem(shown, each, reviewers, signal);
  fill(review);
  return shown;
}

function fillItem(/** @type {HTMLElement} */ host, /** @type {any} */ review, /** @type {number} */ reviewers, /** @type {AbortSignal} */ signal) {
  const { use } = review;
  const isOpen = review.state === "open";
  const [first] = review.candidates;
  const title = make("h3", { id: `review-${review.review_id}` }, t(isOpen ? "reviews.maybe" : `reviews.was_${review.state}`, { name: nameOf(confirmedOf(review) ?? first) }));
  const facts = clauses(use.camera ?? t(`reviews.origin_${use.origin}`), moment(use.ended_at), use.times > 1 && t("reviews.times", { count: use.times }));
  const sides = make("div", { class: "sides" }, probe(review, signal), ...review.candidates.map((/** @type {any} */ each) => candidate(review, each, isOpen)));
  const decided = review.decisions.map((/** @type {any} */ each) => make("li", {}, decisionText(review, each)));
  host.className = `finding ${isOpen ? "possible" : review.state === "confirmed" ? "match" : ""}`;
  host.replaceChildren(title, make("small", {}, facts), sides, ...(decided.length ? [make("ul", { class: "plain", "aria-label": t("reviews.decisions") }, ...decided)] : []));
  host.onkeydown = null;
  if (isOpen) host.append(...controls(host, review, reviewers, signal));
}

const confirmedOf = (/** @type {any} */ review) => review.candidates.find((/** @type {any} */ each) => review.state === "confirmed" && each.identity_id === review.decisions.at(-1)?.identity_id);

function decisionText(/** @type {any} */ review, /** @type {any} */ { decision, identity_id, decided_by, note, decided_at }) {
  const who = review.candidates.find((/** @type {any} */ each) => each.identity_id === identity_id);
  const text = t(decision === "confirm" ? "reviews.confirmed_by" : "reviews.rejected_by", { by: decided_by, name: who ? nameOf(who) : (identity_id ?? ""), when: moment(decided_at) });
  return clauses(text, note);
}

/** The face that was seen, or its absence. */
function probe(/** @type {any} */ review, /** @type {AbortSignal} */ signal) {
  const picture = make("span", { class: "portrait large" }, "?");
  if (review.has_image) void showImage(picture, at("collections/{}/reviews/{}/image", collection(), review.review_id), signal, t("reviews.seen"));
  const kept = review.has_image ? "" : t("reviews.not_kept");
  return make("div", { class: "side odd" }, make("div", { class: "strip" }, picture), make("span", {}, t("reviews.seen")), make("small", {}, clauses(t("quality.score", { score: quality(review.use.quality), reasons: "" }), kept)));
}

function candidate(/** @type {any} */ review, /** @type {any} */ each, /** @type {boolean} */ isOpen) {
  const share = each.fpir ?? each.fmr;
  const chance = share === null ? t("rates.notCalibrated") : t("reviews.chance", { often: often(share, boundOf(share), each.fpir === null ? "comparisons" : "lookups") });
  const name = make("a", { href: addressOf("people", each.identity_id) }, nameOf(each));
  const pick = isOpen && review.candidates.length > 1 ? make("label", { class: "check" }, make("input", { type: "radio", name: `of-${review.review_id}`, value: each.identity_id, checked: each === review.candidates[0] }), t("reviews.this_one")) : null;
  return make("div", { class: "side" }, make("div", { class: "strip" }, portrait(each, "large")), make("span", {}, name), make("small", {}, t("reviews.similarity", { similarity: similarity(each.similarity) })), make("small", {}, chance), pick);
}

/** @returns {HTMLElement[]} the fields and buttons of an open review */
function controls(/** @type {HTMLElement} */ host, /** @type {any} */ review, /** @type {number} */ reviewers, /** @type {AbortSignal} */ signal) {
  const note = make("input", { maxLength: 1000, autocomplete: "off" });
  const enroll = make("input", { type: "checkbox" });
  const decide = (/** @type {"confirm" | "reject"} */ decision) => {
    const picked = /** @type {HTMLInputElement | null} */ (host.querySelector("input[type=radio]:checked"));
    const json = { decision, note: note.value.trim() || null, identity_id: decision === "confirm" ? (picked?.value ?? null) : null, enroll: decision === "confirm" && enroll.checked };
    void attempt(host, async () => {
      const answer = await call("POST", at("collections/{}/reviews/{}/decision", collection(), review.review_id), { json, headers: { "If-Match": `"${review.version}"` }, signal });
      finish(host, answer, reviewers, signal);
    }, (problem) => void again(host, review, reviewers, problem, signal));
  };
  host.onkeydown = (event) => {
    if (event.target !== host || event.ctrlKey || event.metaKey || event.altKey) return;
    const decision = /** @type {const} */ ({ c: "confirm", r: "reject" })[event.key.toLowerCase()];
    if (!decision) return;
    event.preventDefault();
    decide(decision);
  };
  host.setAttribute("aria-keyshortcuts", "C R");
  const also = review.has_image && may("enroll") ? make("label", { class: "check" }, enroll, make("span", {}, t("reviews.enroll"))) : null;
  const row = make("div", { class: "row" }, button(t("reviews.confirm"), () => decide("confirm"), "main"), button(t("reviews.reject"), () => decide("reject")), make("small", {}, t("reviews.keys")));
  return [make("label", {}, t("reviews.note"), note), ...(also ? [also] : []), row];
}

/** Show the outcome, and go to the next review. */
function finish(/** @type {HTMLElement} */ host, /** @type {any} */ { review, face_id, code }, /** @type {number} */ reviewers, /** @type {AbortSignal} */ signal) {
  fillItem(host, review, reviewers, signal);
  const enrolled = face_id ? t("reviews.enrolled") : code && t("reviews.not_enrolled", { why: titleOf(code) });
  if (face_id) peopleChanged();
  const outcome = clauses(t(`reviews.now_${review.state}`), enrolled);
  say(outcome);
  if (review.state === "open") host.onkeydown = null;
  host.querySelector(".row")?.remove();
  host.append(make("p", { class: "hint" }, outcome));
  const next = /** @type {HTMLElement | null} */ (host.nextElementSibling);
  (next ?? host).focus();
}

/** Read a review again that somebody else has decided in the meantime. */
async function again(/** @type {HTMLElement} */ host, /** @type {any} */ review, /** @type {number} */ reviewers, /** @type {Problem} */ problem, /** @type {AbortSignal} */ signal) {
  if (![409, 412].includes(problem.status)) return;
  const now = await call("GET", at("collections/{}/reviews/{}", collection(), review.review_id), { signal });
  fillItem(host, now, reviewers, signal);
  host.focus();
}
