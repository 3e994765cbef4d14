/** The page of one collection: its settings, and its deletion. */

import { Problem, at, call } from "./api.js";
import { may } from "./account.js";
import { changeCollection } from "./collectionchange.js";
import { opened } from "./dialogs.js";
import { button, make, say } from "./elements.js";
import { locale, t } from "./i18n.js";
import { similarity } from "./numbers.js";
import { attempt } from "./problems.js";
import { collection as current, session, useCollection } from "./session.js";
import { GROUPS, settingField } from "./settingfields.js";
import { addressOf, show } from "./tabs.js";

/** @returns {Promise<HTMLElement[]>} */
export async function collectionPage(/** @type {import("./collectionchange.js").Read} */ before) {
  const { collection } = before;
  const rule = await ruleOf(collection);
  const defaults = defaultsOf(collection);
  const fields = GROUPS.flatMap((group) => group.fields).map((field) => ({ field, ...settingField(field, collection, defaults) }));
  const shown = new Map(fields.map((each) => [each.field.name, JSON.stringify(each.read())]));
  const changed = () => Object.fromEntries(fields.filter((each) => JSON.stringify(each.read()) !== shown.get(each.field.name)).map((each) => [each.field.name, each.read()]));
  const saved = make("span", { class: "hint", role: "status" });
  const save = make("button", { type: "submit", class: "main", disabled: true }, t("settings.save"));
  const form = make(
    "form",
    { class: "settings", autocomplete: "off" },
    ...GROUPS.map((group) => make("fieldset", { class: "card" }, make("legend", {}, t(`settings.group_${group.name}`)), group.name === "decide" && rule ? make("p", { class: "note" }, rule) : null, ...fields.filter((each) => group.fields.includes(each.field)).map((each) => each.element))),
    make("div", { class: "row save" }, save, saved),
  );
  form.oninput = () => {
    save.disabled = Object.keys(changed()).length === 0;
    saved.textContent = "";
  };
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void attempt(form, async () => {
      const { after, isSaved } = await changeCollection(before, changed());
      const again = await collectionPage(after);
      const host = form.parentElement;
      host?.replaceChildren(...again);
      const told = /** @type {HTMLElement} */ (host?.querySelector(".save [role=status]"));
      told.textContent = t(isSaved ? "settings.saved" : "settings.changed_elsewhere");
      told.scrollIntoView({ block: "nearest" });
    });
  };
  const facts = [t("collections.people", { count: collection.identities }), t("collections.faces", { count: collection.faces }), t("collections.model_is", { model: collection.model })];
  return [
    make("a", { class: "back", href: addressOf("admin", "collections") }, t("admin.collections")),
    make("div", { class: "view-head" }, make("h2", {}, collection.name), make("a", { class: "button", href: addressOf("people", "", collection.name) }, t("collections.see_people"))),
    make("p", { class: "hint" }, facts.join(" · ")),
    form,
    make("section", { class: "card danger-zone" }, make("h3", {}, t("collections.delete")), make("p", { class: "hint" }, t(collection.name === "default" ? "collections.delete_default" : "collections.delete_text")), button(t("collections.delete_button"), () => void remove(collection), "danger")),
  ];
}

/** @returns {Promise<string>} the rule in force, in words */
async function ruleOf(/** @type {any} */ collection) {
  if (!may("recognise") || !collection.is_usable) return "";
  try {
    const known = await call("GET", "calibration", { query: { collection: collection.name } });
    return t("settings.rule", { identify: similarity(known.identification.threshold, 3), verify: similarity(known.verification.threshold, 3) });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.detail; // such as a rate without a calibration
  }
}

/** @returns {Record<string, string>} the values in force of settings that the collection leaves to the service, as text */
function defaultsOf(/** @type {any} */ { in_force, ...own }) {
  const once = (/** @type {number} */ share) => Number((1 / share).toPrecision(6)).toLocaleString(locale);
  /** @type {Record<string, string>} */
  const defaults = { threshold: t("settings.none"), retention_days: t("settings.for_ever") };
  for (const name of ["max_fpir", "max_fmr"]) if (own[name] === null && in_force[name]) defaults[name] = once(in_force[name]);
  if (own.detector === null) defaults.detector = in_force.detector;
  if (own.impostors === null) defaults.impostors = t(`settings.impostors_${in_force.impostors}`);
  return defaults;
}

/** Delete a collection whose name the user types. */
async function remove(/** @type {any} */ collection) {
  const field = make("input", { id: "typed-name", autocomplete: "off", spellcheck: false, autocapitalize: "off" });
  const sure = make("button", { type: "submit", class: "main danger", disabled: true }, t("collections.delete_button"));
  const cancel = button(t("admin.cancel"), () => {}, "quiet");
  const consequences = t("collections.delete_sure", { people: t("collections.people", { count: collection.identities }), faces: t("collections.faces", { count: collection.faces }) });
  const form = make("form", {}, make("h2", { id: "delete-title" }, t("collections.delete_title", { name: collection.name })), make("p", {}, consequences), make("label", { htmlFor: "typed-name" }, t("collections.type_name", { name: collection.name })), field, make("div", { class: "row end" }, cancel, sure));
  const dialog = make("dialog", { "aria-labelledby": "delete-title" }, form);
  document.body.append(dialog);
  field.oninput = () => (sure.disabled = field.value !== collection.name);
  const isSure = await opened(dialog, (close) => {
    cancel.onclick = () => close(false);
    form.onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      if (field.value === collection.name) close(true);
    };
  });
  dialog.remove();
  if (!isSure) return;
  await attempt(form, async () => {
    await call("DELETE", at("collections/{}", collection.name));
    say(t("collections.deleted", { name: collection.name }));
    if (current() === collection.name) useCollection("default");
    session.dispatchEvent(new Event("collections"));
    show("admin", "collections", true);
  });
}
