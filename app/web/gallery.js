/** The tab Gallery: people, page by page. */

import { at, call } from "./api.js";
import { byId, make } from "./elements.js";
import { startHealth } from "./health.js";
import { count } from "./numbers.js";
import { showPerson } from "./person.js";
import { attempt } from "./problems.js";
import { collection, session } from "./session.js";
import { addPanel, openTab } from "./tabs.js";

/** @type {string | null} */
let cursor = null;
let sought = "";
/** @type {string | null} */
let chosen = null;

/** Connect the tab. */
export function startGallery() {
  byId("people-search").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    sought = byId("people-q").value.trim();
    void reload();
  };
  byId("people-more").onclick = () => void more();
  const health = startHealth(() => void reload());
  const again = () => {
    chosen = null;
    byId("person").replaceChildren(make("p", { class: "hint" }, "Choose somebody to see their faces."));
    health.reset();
    if (openTab() === "gallery") void reload();
  };
  session.addEventListener("collection", again);
  addPanel("gallery", { onShow: () => void reload(), onHide: health.stop });
}

async function reload() {
  cursor = null;
  await page([]);
}

async function more() {
  const shown = [...byId("people").children];
  await page(shown);
  /** @type {HTMLElement | null} */ (byId("people").children[shown.length]?.querySelector("button"))?.focus();
}

async function page(/** @type {Element[]} */ before) {
  const people = byId("people");
  const asked = [collection(), sought];
  await attempt(people, async () => {
    const found = await call("GET", at("collections/{}/identities", asked[0]), { query: { q: sought, cursor, limit: 50 } });
    cursor = found.next_cursor;
    const items = found.identities.map((/** @type {any} */ each) => make("li", {}, entry(each)));
    const none = sought ? "No person matches." : "Nobody is enrolled yet.";
    people.replaceChildren(...before, ...(before.length || items.length ? items : [make("li", { class: "hint" }, none)]));
    byId("people-more").hidden = cursor === null;
  });
  if (asked[0] !== collection() || asked[1] !== sought) await reload(); // changed during the request
}

function entry(person) {
  const names = make("span", {}, person.name || person.identity_id, person.name ? make("small", {}, person.identity_id) : null);
  return make(
    "button",
    {
      type: "button",
      "aria-current": person.identity_id === chosen ? "true" : null,
      "data-person": person.identity_id,
      onclick: () => void open(person.identity_id),
    },
    names,
    make("small", {}, count(person.faces, "face")),
  );
}

async function open(/** @type {string} */ identityId) {
  chosen = identityId;
  for (const each of byId("people").querySelectorAll("button")) {
    if (each.dataset.person === identityId) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
  await showPerson(identityId, (now) => {
    chosen = now;
    void reload();
  });
}
