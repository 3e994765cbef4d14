/** The settings of a collection as fields, each with its effect and its default. */

import { make } from "./elements.js";
import { t } from "./i18n.js";

/**
 * @typedef {object} Field
 * @property {string} name in the API
 * @property {"times" | "number" | "check" | "select" | "text"} kind `times`: a share of 0.01 is entered as 100
 * @property {string[]} [values] of a select; empty: the default
 * @property {number} [max]
 * @property {boolean} [isFixed] only while nobody is enrolled
 */

/** @type {{name: string, fields: Field[]}[]} */
export const GROUPS = [
  { name: "decide", fields: [{ name: "max_fpir", kind: "times" }, { name: "max_fmr", kind: "times" }, { name: "threshold", kind: "number", max: 1 }, { name: "impostors", kind: "select", values: ["", "any", "similar"] }, { name: "adaptive", kind: "check" }, { name: "liveness", kind: "select", values: ["off", "observe", "enforce"] }] },
  { name: "photos", fields: [{ name: "enroll_quality", kind: "number", max: 1 }, { name: "probe_quality", kind: "number", max: 1 }, { name: "on_duplicate", kind: "select", values: ["flag", "reject", "allow"] }, { name: "on_mismatch", kind: "select", values: ["flag", "reject", "allow"] }] },
  { name: "privacy", fields: [{ name: "keep_crops", kind: "check" }, { name: "require_consent", kind: "check" }, { name: "retention_days", kind: "number", max: 36_500 }, { name: "remember_unknown_days", kind: "number", max: 3650 }] },
  { name: "review", fields: [{ name: "review", kind: "select", values: ["off", "possible", "all_matches"] }, { name: "reviewers", kind: "number", max: 2 }, { name: "review_days", kind: "number", max: 3650 }] },
  { name: "network", fields: [{ name: "detector", kind: "text", isFixed: true }, { name: "flip", kind: "check", isFixed: true }] },
];

const USUAL = ["max_fpir", "max_fmr", "impostors", "detector"]; // the service has a default for them

/**
 * @param {Field} field
 * @param {any} collection
 * @param {Record<string, string>} defaults in force, as text; missing ones are not known
 * @returns {{element: HTMLElement, read: () => any}} `read`: the value for the API
 */
export function settingField(field, collection, defaults) {
  const { name, kind } = field;
  const value = collection[name];
  const id = `setting-${name}`;
  const isLocked = Boolean(field.isFixed) && collection.faces > 0;
  const usual = defaults[name];
  const hints = [t(`settings.${name}_effect`), defaultHint(field, usual), isLocked ? t("settings.locked") : ""];
  const hint = make("p", { class: "hint", id: `${id}-hint` }, hints.filter(Boolean).join(" "));
  const about = { id, disabled: isLocked, "aria-describedby": hint.id };
  if (kind === "check") {
    const box = make("input", { type: "checkbox", checked: value, ...about });
    return { element: make("div", { class: "setting" }, make("label", { class: "check" }, box, make("span", {}, t(`settings.${name}`))), hint), read: () => box.checked };
  }
  const input = kind === "select" ? select(field, value, about) : make("input", { type: kind === "text" ? "text" : "number", placeholder: usual ?? (USUAL.includes(name) ? t("settings.service_default") : t("settings.none")), value: shown(kind, value), autocomplete: "off", spellcheck: false, ...bounds(field), ...about });
  const label = make("label", { htmlFor: id }, t(`settings.${name}`));
  return { element: make("div", { class: "setting" }, label, make("div", { class: "control" }, kind === "times" ? make("span", { "aria-hidden": "true" }, t("settings.once_in")) : null, input), hint), read: () => read(kind, input.value) };
}

/** @returns {string} what an empty field means */
function defaultHint(/** @type {Field} */ { name }, /** @type {string | undefined} */ usual) {
  if (usual) return t("settings.default", { value: usual });
  return USUAL.includes(name) ? t("settings.default_service") : "";
}

function select(/** @type {Field} */ { name, values = [] }, /** @type {any} */ value, /** @type {any} */ about) {
  return make("select", about, ...values.map((each) => make("option", { value: each, selected: each === (value ?? "") }, t(each ? `settings.${name}_${each}` : "settings.service_default"))));
}

function bounds(/** @type {Field} */ { kind, name, max = 0 }) {
  if (kind === "text") return { pattern: "[a-z0-9][a-z0-9_.\\-]*([+][a-z0-9][a-z0-9_.\\-]*)?", maxLength: 128 };
  if (kind === "times") return { min: 2, step: "any" };
  return max > 1 ? { min: 1, max, step: 1, required: name.startsWith("review") } : { min: name === "threshold" ? -1 : 0, max, step: "any", required: name.endsWith("quality") };
}

const shown = (/** @type {string} */ kind, /** @type {any} */ value) => (value === null ? "" : kind === "times" ? String(Number((1 / value).toPrecision(6))) : String(value));

function read(/** @type {string} */ kind, /** @type {string} */ text) {
  if (text.trim() === "") return null;
  if (kind === "times") return Number((1 / Number(text)).toPrecision(6));
  return kind === "number" ? Number(text) : text.trim();
}
