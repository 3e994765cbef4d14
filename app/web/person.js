/** The page of one person: who it is, all faces, and what can be changed. */

import { call } from "./api.js";
import { button, byId, make, say } from "./elements.js";
import { enrollMore } from "./enroll.js";
import { t } from "./i18n.js";
import { nameOf, pathOf, readPerson } from "./identity.js";
import { mergeWithAnother } from "./merge.js";
import { moment } from "./numbers.js";
import { closeFaces, facesOf } from "./personfaces.js";
import { portrait } from "./portrait.js";
import { attempt, clearProblems } from "./problems.js";
import { peopleChanged, session } from "./session.js";
import { addressOf, show } from "./tabs.js";
import { deleteLater, isGoing } from "./undo.js";

let shown = "";
let round = 0; // answers of earlier ones come too late
session.addEventListener("people", () => shown && void draw());

/** @param {string} identityId */
export async function showPerson(identityId) {
  closePerson();
  clearProblems();
  shown = identityId;
  byId("person").replaceChildren(back(), make("p", { class: "hint" }, t("person.looking")));
  await draw();
  byId("person").querySelector("h2")?.focus({ preventScroll: true });
}

export function closePerson() {
  shown = "";
  round += 1;
  closeFaces();
  byId("person").replaceChildren();
}

async function draw() {
  const mine = (round += 1);
  const path = pathOf({ identity_id: shown });
  if (isGoing(path)) return gone(t("person.isDeleted", { id: shown }));
  const host = byId("person");
  const hadFocus = host.contains(document.activeElement);
  await attempt(make("div"), async () => {
    const person = await readPerson({ identity_id: shown });
    if (mine !== round) return;
    if (person === null) return gone(t("person.unknown", { id: shown }));
    const faces = await facesOf(person);
    if (mine !== round) return;
    host.replaceChildren(back(), head(person), ...faces);
    if (hadFocus && !host.contains(document.activeElement)) host.querySelector("h2")?.focus({ preventScroll: true });
  }, undefined, true);
}

const back = () => make("a", { href: addressOf("people"), class: "back" }, t("person.back"));

function gone(/** @type {string} */ text) {
  closeFaces();
  byId("person").replaceChildren(back(), make("h2", { tabIndex: -1 }, t("person.nobody")), make("p", { class: "hint" }, text));
  say(text);
}

function head(/** @type {any} */ person) {
  const facts = [person.identity_id, t("people.faces", { count: person.faces }), t("person.enrolled", { when: moment(person.created_at) })];
  if (person.updated_at !== person.created_at) facts.push(t("person.changed", { when: moment(person.updated_at) }));
  if (person.ends_at) facts.push(t("person.keptUntil", { when: moment(person.ends_at) }));
  return make(
    "div",
    { class: "person-head" },
    portrait(person, "large"),
    make(
      "div",
      {},
      naming(person),
      make("p", { class: "hint" }, facts.join(" · ")),
      Object.keys(person.metadata).length ? make("p", {}, make("code", {}, JSON.stringify(person.metadata))) : null,
      make(
        "div",
        { class: "row" },
        button(t("person.enrollMore"), () => enrollMore(person.identity_id), "small"),
        button(t("person.same"), () => void merge(person), "small"),
        button(t("person.delete"), () => remove(person), "small danger"),
      ),
    ),
  );
}

/** The name, which a form replaces for as long as it is changed. */
function naming(/** @type {any} */ person) {
  const host = make("div", { class: "row naming" });
  const rest = () => host.replaceChildren(make("h2", { tabIndex: -1 }, nameOf(person)), button(t("person.rename"), edit, "small quiet"));
  function edit() {
    const field = make("input", { maxLength: 256, value: person.name ?? "", "aria-label": t("person.name") });
    const cancel = () => (rest(), host.querySelector("button").focus());
    const form = make("form", { class: "row", autocomplete: "off" }, field, make("button", { type: "submit", class: "small main" }, t("page.save")), button(t("page.cancel"), cancel, "small quiet"));
    form.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") cancel(); // false, as a value, would refuse all other keys
    };
    form.onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      void attempt(form, async () => {
        await call("PATCH", pathOf(person), { json: { name: field.value.trim() || null } });
        say(t("person.renamed"));
        peopleChanged();
      });
    };
    host.replaceChildren(make("h2", { class: "hidden-text" }, nameOf(person)), form);
    field.focus();
    field.select();
  }
  rest();
  return host;
}

async function merge(/** @type {any} */ person) {
  const kept = await mergeWithAnother(person);
  if (kept && kept !== shown) show("people", kept, true);
}

function remove(/** @type {any} */ person) {
  show("people", "", true);
  deleteLater([pathOf(person)], t("people.deletedOne", { name: nameOf(person) }));
}
