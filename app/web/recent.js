/** The strip of recent lookups: each photo with its answer in a few words. */

import { byId, make } from "./elements.js";
import { nameOf } from "./faces.js";
import { t } from "./i18n.js";
import { listOf } from "./phrases.js";

const MOST = 3; // names in an entry

/** @typedef {import("./lookups.js").Lookup} Lookup */

/**
 * @param {object} wishes
 * @param {(lookup: Lookup) => void} wishes.onChoose
 * @param {() => void} wishes.onClear
 * @returns {{draw: (all: Lookup[], chosen: Lookup | null) => void}}
 */
export function startRecent({ onChoose, onClear }) {
  /** @type {WeakMap<Lookup, HTMLElement>} entries stay the same elements, so that they keep the focus */
  const entries = new WeakMap();
  byId("recent-clear").onclick = onClear;
  const entryOf = (/** @type {Lookup} */ lookup) => {
    const known = entries.get(lookup) ?? make("li", {}, make("button", { type: "button", onclick: () => onChoose(lookup) }));
    entries.set(lookup, known);
    return known;
  };
  return {
    draw(all, chosen) {
      byId("recent").hidden = all.length < 2; // a single one is shown already
      const shown = all.map((each) => drawn(entryOf(each), each, each === chosen));
      const list = byId("recent-list");
      if (shown.length !== list.childElementCount || shown.some((each, at) => list.children[at] !== each)) list.replaceChildren(...shown);
    },
  };
}

function drawn(/** @type {HTMLElement} */ entry, /** @type {Lookup} */ lookup, /** @type {boolean} */ isChosen) {
  const inner = /** @type {HTMLElement} */ (entry.firstElementChild);
  const [tone, words] = told(lookup);
  inner.className = tone;
  if (isChosen) inner.setAttribute("aria-current", "true");
  else inner.removeAttribute("aria-current");
  const picture = lookup.thumbnail ? make("img", { src: lookup.thumbnail, alt: "" }) : make("span", { class: "no-picture" });
  if (inner.dataset.words === words && inner.dataset.picture === String(lookup.thumbnail)) return entry;
  [inner.dataset.words, inner.dataset.picture] = [words, String(lookup.thumbnail)];
  inner.replaceChildren(picture, make("span", { class: "told" }, words, make("span", { class: "hidden-text" }, `, ${lookup.photo.name}`)));
  return entry;
}

/** @returns {string[]} a tone, and the answer in a few words */
function told(/** @type {Lookup} */ { state, answer }) {
  if (state === "failed") return ["refused", t("recent.failed")];
  if (state !== "done") return ["", t(state === "waiting" ? "recent.waiting" : "recent.looking")];
  const of = (/** @type {string} */ verdict) => answer.faces.filter((/** @type {any} */ each) => each.verdict === verdict);
  const [matches, possible, unknown] = [of("match"), of("possible"), of("unknown").length];
  const names = [...matches.map((/** @type {any} */ each) => nameOf(each.candidates[0])), ...possible.map((/** @type {any} */ each) => t("answer.perhaps", { name: nameOf(each.candidates[0]) }))];
  if (unknown) names.push(names.length ? t("recent.unknownMore", { count: unknown }) : answer.faces.length > 1 ? t("recent.unknownFaces", { count: unknown }) : t("recent.unknown"));
  if (names.length > MOST) names.splice(MOST - 1, names.length, t("recent.others", { count: answer.faces.length - MOST + 1 }));
  const words = listOf(names) || t("recent.noFace");
  return [matches.length ? "match" : possible.length ? "possible" : "unknown", words[0].toLocaleUpperCase() + words.slice(1)];
}
