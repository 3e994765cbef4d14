/** The form for a new API key. */

import { may } from "./account.js";
import { call } from "./api.js";
import { allCollections } from "./collections.js";
import { button, make } from "./elements.js";
import { t } from "./i18n.js";
import { attempt } from "./problems.js";

const SCOPES = ["recognise", "enroll", "manage", "search", "metrics", "admin"];
const DAYS = [30, 90, 365];
const DAY_MS = 86_400_000;

/**
 * @param {object} wishes
 * @param {boolean} wishes.isFirst the first key of a service must allow everything
 * @param {() => void} wishes.onCancel
 * @param {(key: import("./keys.js").Key) => void} wishes.onCreate
 * @returns {HTMLFormElement}
 */
export function keyForm({ isFirst, onCancel, onCreate }) {
  const name = make("input", { id: "key-name", required: true, maxLength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", title: t("keys.name_form"), autocapitalize: "off", autocomplete: "off", spellcheck: false });
  const scopes = SCOPES.map((each) => scopeBox(each, isFirst));
  const where = make("select", { id: "key-where" }, make("option", { value: "" }, t("account.all_collections")), make("option", { value: "some" }, t("keys.some")));
  const among = make("fieldset", { class: "boxes", hidden: true }, make("legend", { class: "hidden-text" }, t("account.collections")));
  const end = make("select", { id: "key-end" }, make("option", { value: "" }, t("account.no_end")), ...DAYS.map((each) => make("option", { value: each }, t("keys.in_days", { days: each }))));
  const [rate, quota] = ["rate", "quota"].map((each) => make("input", { id: `key-${each}`, placeholder: t(`keys.${each}_example`), pattern: "none|[1-9][0-9]*/(second|minute|hour|day)", autocomplete: "off", spellcheck: false, "aria-describedby": `key-${each}-hint` }));
  where.onchange = () => void attempt(among, async () => {
    among.hidden = where.value === "";
    if (among.hidden || among.querySelector("input")) return;
    const names = (await allCollections()).map((each) => each.name);
    among.append(...names.map((each) => make("label", {}, make("input", { type: "checkbox", name: "collection", value: each }), each)));
  });
  const checked = (/** @type {string} */ of) => [...form.querySelectorAll(`input[name=${of}]:checked`)].map((each) => /** @type {HTMLInputElement} */ (each).value);
  const form = make(
    "form",
    { class: "card key-form", autocomplete: "off" },
    make("h3", {}, t(isFirst ? "keys.first" : "keys.create")),
    isFirst ? make("p", { class: "hint" }, t("keys.first_text")) : null,
    make("label", { htmlFor: "key-name" }, t("keys.name"), " ", make("small", {}, t("keys.name_hint"))),
    name,
    make("fieldset", { class: "scopes" }, make("legend", {}, t("keys.scopes")), ...scopes),
    ...(isFirst ? [] : [
      make("div", { class: "fields" },
        make("div", {}, make("label", { htmlFor: "key-where" }, t("account.collections")), where, among),
        make("div", {}, make("label", { htmlFor: "key-end" }, t("keys.end")), end)),
      make("details", {}, make("summary", {}, t("keys.limits")), make("div", { class: "fields" }, ...[["rate", rate], ["quota", quota]].map(([each, field]) => make("div", {}, make("label", { htmlFor: `key-${each}` }, t(`keys.${each}`)), field, make("p", { class: "hint", id: `key-${each}-hint` }, t(`keys.${each}_hint`)))))),
    ]),
    make("div", { class: "row end" }, button(t("admin.cancel"), onCancel, "quiet"), make("button", { type: "submit", class: "main" }, t("keys.submit"))),
  );
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const expires = end.value ? new Date(Date.now() + Number(end.value) * DAY_MS).toISOString() : null;
    const json = { name: name.value.trim(), scopes: checked("scope"), collections: where.value ? checked("collection") : null, expires_at: expires, rate: rate.value.trim() || null, quota: quota.value.trim() || null };
    void attempt(form, async () => onCreate(await call("POST", "keys", { json })));
  };
  return form;
}

function scopeBox(/** @type {string} */ scope, /** @type {boolean} */ isFirst) {
  const box = make("input", { type: "checkbox", name: "scope", value: scope, checked: scope === (isFirst ? "admin" : "recognise"), disabled: isFirst ? scope !== "admin" : !may(scope), "aria-describedby": `scope-${scope}` });
  if (isFirst) box.onclick = () => false; // it stays
  return make("label", { class: "check" }, box, make("span", {}, make("b", {}, scope), make("small", { id: `scope-${scope}` }, t(`scope.${scope}`))));
}
