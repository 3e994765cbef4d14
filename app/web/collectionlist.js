/** The view of collections: list and create them; each has a page with its settings. */

import { call } from "./api.js";
import { readCollection } from "./collectionchange.js";
import { collectionPage } from "./collectionpage.js";
import { allCollections } from "./collections.js";
import { button, make } from "./elements.js";
import { t } from "./i18n.js";
import { attempt } from "./problems.js";
import { session } from "./session.js";
import { addressOf, show } from "./tabs.js";

/** @type {import("./admin.js").View} */
export async function showCollections(host, about, signal) {
  if (about) {
    const page = await collectionPage(await readCollection(about, signal));
    if (!signal.aborted) host.replaceChildren(...page);
    return;
  }
  const all = await allCollections();
  if (signal.aborted) return;
  const news = make("div");
  const create = button(t("collections.create"), open, "main");
  async function open() {
    create.hidden = true;
    const close = () => {
      news.replaceChildren();
      create.hidden = false;
      create.focus();
    };
    news.replaceChildren(await createForm(close));
    news.querySelector("input")?.focus();
  }
  host.replaceChildren(make("div", { class: "view-head" }, make("h2", {}, t("admin.collections")), create), make("p", { class: "hint" }, t("collections.about")), news, make("ul", { class: "entries", "aria-label": t("admin.collections") }, ...all.map(entry)));
}

function entry(/** @type {any} */ each) {
  const facts = [t("collections.people", { count: each.identities }), t("collections.faces", { count: each.faces }), t("collections.model_is", { model: each.model })];
  return make(
    "li",
    {},
    make("div", { class: "entry-text" }, make("span", {}, make("b", {}, each.name), each.is_usable ? null : make("span", { class: "tag refused" }, t("collections.unusable"))), make("small", {}, facts.join(" · "))),
    make("div", { class: "row" }, make("a", { class: "button", href: addressOf("people", "", each.name) }, t("collections.see_people"), make("span", { class: "hidden-text" }, ` ${each.name}`)), make("a", { class: "button", href: addressOf("admin", `collections/${each.name}`) }, t("collections.settings"), make("span", { class: "hidden-text" }, ` ${each.name}`))),
  );
}

async function createForm(/** @type {() => void} */ onCancel) {
  const packs = (await call("GET", "models")).models.filter((/** @type {any} */ each) => each.is_in_use && each.model);
  const name = make("input", { id: "collection-name", required: true, maxLength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", spellcheck: false, autocapitalize: "off", autocomplete: "off", "aria-describedby": "collection-name-hint" });
  const model = make("select", { id: "collection-model" }, ...packs.map((/** @type {any} */ each) => make("option", { value: each.model, selected: each.is_default }, each.title)));
  const form = make(
    "form",
    { class: "card", autocomplete: "off" },
    make("h3", {}, t("collections.create")),
    make("label", { htmlFor: "collection-name" }, t("collections.name")),
    name,
    make("p", { class: "hint", id: "collection-name-hint" }, t("collections.name_hint")),
    packs.length > 1 ? make("label", { htmlFor: "collection-model" }, t("collections.model")) : null,
    packs.length > 1 ? model : null,
    make("div", { class: "row end" }, button(t("admin.cancel"), onCancel, "quiet"), make("button", { type: "submit", class: "main" }, t("collections.create"))),
  );
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void attempt(form, async () => {
      const made = await call("POST", "collections", { json: packs.length > 1 ? { name: name.value, model: model.value } : { name: name.value } });
      session.dispatchEvent(new Event("collections"));
      show("admin", `collections/${made.name}`);
    });
  };
  return form;
}
