/** The tab People: a grid of faces, and the page of one person. */

import { at, call } from "./api.js";
import { button, byId, make, say } from "./elements.js";
import { enrollMore } from "./enroll.js";
import { Cards } from "./grid.js";
import { rich, t } from "./i18n.js";
import { pathOf } from "./identity.js";
import { closePerson, showPerson } from "./person.js";
import { personCard, selectedPeople } from "./personcard.js";
import { attempt } from "./problems.js";
import { collection, session } from "./session.js";
import { addPanel, openTab, show } from "./tabs.js";
import { flush, isGoing } from "./undo.js";

const PAGE = 100;
const PAUSE_MS = 200; // after the last key

/** @type {Cards<any>} */
const cards = new Cards(byId("people-list"), (person) => person.identity_id, personCard);
let asking = new AbortController();
/** @type {Promise<any>} */
let loading = Promise.resolve();
/** @type {string | null} */
let cursor = null;
let opened = ""; // the person on the page, if any
let isLoaded = false;
let timer = 0;

/** Connect the tab. */
export function startPeople() {
  byId("people-search").onsubmit = (/** @type {Event} */ event) => event.preventDefault();
  byId("people-q").oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void reload(true), PAUSE_MS);
  };
  byId("people-order").onchange = () => void reload(true);
  byId("people-enroll").onclick = () => enrollMore("");
  byId("people-more").onclick = () => void more();
  session.addEventListener("collection", () => {
    outdated();
    cards.draw([]);
    selectedPeople.clear();
    byId("people-q").value = "";
  });
  session.addEventListener("people", () => {
    outdated();
    if (openTab() === "people" && !opened) void reload(false, true);
  });
  addPanel("people", { onShow, onHide });
}

function onHide() {
  closePerson();
  opened = "";
  outdated(); // other tabs change people too
  void flush();
}

/** Read the list again when it is shown next; an answer that is under way is out of date too. */
function outdated() {
  isLoaded = false;
  asking.abort();
}

function onShow(/** @type {string} */ about) {
  const before = opened;
  opened = about;
  byId("people-all").hidden = about !== "";
  byId("person").hidden = about === "";
  if (about) return void showPerson(about);
  closePerson();
  cards.focus(before);
  if (!isLoaded) void reload().then(() => cards.focus(before));
}

/**
 * Read the list from its start.
 *
 * @param {boolean} [isOther] another list: only its first page, instead of as many people as are shown
 * @param {boolean} [isByItself] without the user
 */
async function reload(isOther = false, isByItself = false) {
  asking.abort();
  const { signal } = (asking = new AbortController());
  await loading;
  if (signal.aborted) return;
  const list = byId("people-list");
  const wanted = isOther ? PAGE : Math.max(PAGE, list.childElementCount);
  loading = attempt(list, async () => {
    const people = [];
    let page;
    do {
      page = await read(page?.next_cursor ?? null, signal);
      people.push(...page.identities);
    } while (page.next_cursor && people.length < wanted);
    isLoaded = true;
    cards.draw(people.filter(isShown));
    selectedPeople.keep(cards.ids);
    after(page);
  }, undefined, isByItself);
  await loading;
}

async function more() {
  await attempt(byId("people-list"), async () => {
    const page = await read(cursor, asking.signal);
    cards.append(page.identities.filter(isShown));
    after(page);
  });
}

function read(/** @type {string | null} */ from, /** @type {AbortSignal} */ signal) {
  const query = { q: byId("people-q").value.trim(), order: byId("people-order").value, cursor: from, limit: PAGE };
  return call("GET", at("collections/{}/identities", collection()), { query, signal });
}

const isShown = (/** @type {any} */ person) => !isGoing(pathOf(person));

/** Follow a page that was read: the count, and what to do if there is nobody. */
function after(/** @type {any} */ page) {
  cursor = page.next_cursor;
  byId("people-more").hidden = cursor === null;
  const sought = byId("people-q").value.trim();
  const { size } = cards.ids;
  byId("people-count").textContent = !size ? "" : cursor === null ? t("people.count", { count: size }) : t("people.countOf", { shown: size, count: page.total });
  byId("people-none").hidden = size > 0;
  byId("people-none").replaceChildren(...(size ? [] : sought ? nobodyCalled(sought) : nobodyYet()));
  if (sought) say(size ? t("people.found", { count: size }) : t("people.nobodyCalled", { sought }));
}

function nobodyCalled(/** @type {string} */ sought) {
  const clear = () => {
    byId("people-q").value = "";
    byId("people-q").focus();
    void reload(true);
  };
  return [make("p", {}, t("people.nobodyCalled", { sought })), make("div", { class: "row" }, button(t("people.showAll"), clear), button(t("people.enroll"), () => enrollMore(""), "quiet"))];
}

function nobodyYet() {
  return [
    make("h3", {}, t("people.nobodyYet")),
    make("p", {}, t("people.nobodyYetHint")),
    make("div", { class: "row" }, button(t("people.enrollFirst"), () => enrollMore(""), "main"), button(t("people.importMany"), () => show("jobs"))),
    make("p", { class: "hint" }, ...rich("people.demo", { command: make("code", {}, "arcid demo") })),
  ];
}
