/** The page of one collection: its settings, and its deletion. */

import { Problem, at, call } from "./api.js";
import { may } from "./account.js";
import { opened } from "./dialogs.js";
import { button, make, say } from "./elements.js";
import { locale, t } from "./i18n.js";
import { similarity } from "./numbers.js";
import { attempt } from "./problems.js";
import { collection as current, session, useCollection } from "./session.js";
import { GROUPS, settingField } from "./settingfields.js";
import { addressOf, show } from "./tabs.js";

/** @returns {Promise<HTMLElement[]>} */
export async function collectionPage(/** @type {any} */ collection) {
  const { rule, defaults } = await inForce(collection);
  const fields = GROUPS.flatMap((group) => group.fields).map((field) => ({ field, ...settingField(field, collection, defaults) }));
  const before = new Map(fields.map((each) => [each.field.name, JSON.stringify(each.read())]));
  const changed = () => Object.fromEntries(fields.filter((each) => JSON.stringify(each.read()) !== before.get(each.field.name)).map((each) => [each.field.name, each.read()]));
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
      const after = await call("PATCH", at("collections/{}", collection.name), { json: changed() });
      const again = await collectionPage(after);
      const host = form.parentElement;
      host?.replaceChildren(...again);
      const told = /** @type {HTMLElement} */ (host?.querySelector(".save [role=status]"));
      told.textContent = t("settings.saved");
      told.scrollIntoView({ block: "nearest" });
    });
  };
  const facts = [t("collections.people", { count: collection.identities }), t("collections.faces", { count: collection.faces }), t("collections.model_is", { model: collection.model })];
  return [
    make("a", { class: "back", href: addressOf("admin", "collections") }, `← ${t("admin.collections")}`),
    make("div", { class: "view-head" }, make("h2", {}, collection.name), make("a", { class: "button", href: addressOf("people", "", collection.name) }, t("collections.see_people"))),
    make("p", { class: "hint" }, facts.join(" · ")),
    form,
    make("section", { class: "card danger-zone" }, make("h3", {}, t("collections.delete")), make("p", { class: "hint" }, t(collection.name === "default" ? "collections.delete_default" : "collections.delete_text")), button(t("collections.delete_button"), () => void remove(collection), "danger")),
  ];
}

/** @returns {Promise<{rule: string, defaults: Record<string, string>}>} the rule in words, and the defaults as text */
async function inForce(/** @type {any} */ collection) {
  const once = (/** @type {number} */ times) => times.toLocaleString(locale);
  /** @type {Record<string, string>} */
  const defaults = { max_fpir: once(100), max_fmr: once(10_000), threshold: t("settings.none"), retention_days: t("settings.for_ever") };
  const models = await call("GET", "models");
  defaults.detector = models.detector;
  if (!may("recognise") || !collection.is_usable) return { rule: "", defaults };
  let known;
  try {
    known = await call("GET", "calibration", { query: { collection: collection.name } });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { rule: error.detail, defaults }; // such as a rate without a calibration
  }
  if (known.calibration && collection.impostors === null) defaults.impostors = t(`settings.impostors_${known.calibration.impostors}`);
  const rule = t("settings.rule", { identify: similarity(known.identification.threshold, 3), verify: similarity(known.verification.threshold, 3) });
  return { rule, defaults };
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
