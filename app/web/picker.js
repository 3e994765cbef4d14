/** The dialog that picks an enrolled person: the likely ones first, the others by search, each with a face. */

import { Problem, at, call } from "./api.js";
import { opened } from "./dialogs.js";
import { button, make } from "./elements.js";
import { t } from "./i18n.js";
import { similarity } from "./numbers.js";
import { portrait } from "./portrait.js";
import { showProblem } from "./problems.js";
import { collection } from "./session.js";

const SHOWN = 24;
const GENERATED = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/; // means nothing to people
const PAUSE_MS = 200; // after the last key

/** @typedef {{identity_id: string, name?: string | null, face_id?: string | null, has_image?: boolean, faces?: number, similarity?: number}} Person */

/**
 * @param {string} title the question
 * @param {object} [wishes]
 * @param {Person[]} [wishes.near] the most likely people, with their similarities; candidates of an answer
 * @param {string[]} [wishes.without] ids that are not offered
 * @returns {Promise<Person | null>} null if the user cancels
 */
export async function pickPerson(title, { near = [], without = [] } = {}) {
  const list = make("ul", { class: "picks", "aria-label": t("picker.people") });
  const field = make("input", { type: "search", id: "picker-q", maxLength: 256, autocomplete: "off", spellcheck: false });
  const cancel = button(t("page.cancel"), () => {}, "quiet");
  const dialog = make("dialog", { class: "picker", "aria-labelledby": "picker-title" }, make("h2", { id: "picker-title" }, title), make("label", { htmlFor: "picker-q" }, t("picker.find")), field, list, make("div", { class: "row end" }, cancel));
  document.body.append(dialog);
  /** @type {Person | null} */
  let picked = null;
  const search = searching(list, { near, without, onPick: (person) => ((picked = person), dialog.close()) });
  const timer = delayed(() => void search(field.value.trim()));
  field.oninput = timer;
  void search("");
  await opened(dialog, (close) => (cancel.onclick = () => close(false)));
  dialog.remove();
  return picked;
}

/** Return a function that waits for a pause in its calls. */
function delayed(/** @type {() => void} */ work) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, PAUSE_MS);
  };
}

/**
 * @param {HTMLElement} list
 * @param {{near: Person[], without: string[], onPick: (person: Person) => void}} wishes
 * @returns {(text: string) => Promise<void>} fill the list with the people whom a text finds
 */
function searching(list, { near, without, onPick }) {
  const likely = new Map(near.map((each) => [each.identity_id, each]));
  let latest = "";
  return async (text) => {
    latest = text;
    const isOffered = (/** @type {Person} */ each) => !without.includes(each.identity_id);
    const first = text ? [] : near.filter(isOffered);
    if (first.length) list.replaceChildren(...first.map((each) => pick(each, onPick)));
    const found = (await people(text)).filter((each) => isOffered(each) && !first.some((one) => one.identity_id === each.identity_id));
    if (latest !== text) return;
    if (!first.length) list.replaceChildren();
    list.append(...found.map((each) => pick({ ...each, ...likely.get(each.identity_id) }, onPick)));
    if (!list.childElementCount) list.append(make("li", { class: "hint" }, t(text ? "picker.nobody" : "picker.nobodyYet")));
  };
}

/**
 * @param {string} text
 * @returns {Promise<Person[]>} the typed id alone if the key may not list people
 */
async function people(text) {
  try {
    const page = await call("GET", at("collections/{}/identities", collection()), { query: { q: text, limit: SHOWN } });
    return page.identities;
  } catch (error) {
    if (error instanceof Problem && error.status === 403) return text ? [{ identity_id: text }] : [];
    showProblem(error);
    return [];
  }
}

function pick(/** @type {Person} */ person, /** @type {(person: Person) => void} */ onPick) {
  const facts = [
    person.name && !GENERATED.test(person.identity_id) ? person.identity_id : null,
    person.similarity === undefined ? null : t("figures.similarity", { value: similarity(person.similarity) }),
    person.faces === undefined ? null : t("people.faces", { count: person.faces }),
  ];
  const names = make("span", {}, make("b", {}, person.name || person.identity_id), make("small", {}, facts.filter(Boolean).join(" · ")));
  return make("li", {}, make("button", { type: "button", "data-person": person.identity_id, onclick: () => onPick(person) }, portrait(person), names));
}
