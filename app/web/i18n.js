/**
 * Texts of the page in the user's language. No visible text stands in JavaScript; texts stand in `messages/LANGUAGE/AREA.json`.
 *
 *     t("people.title")                              "People"
 *     t("people.found", { count: 1204 })             a plural: {"one": "{count} person found", "other": "{count} people found"}
 *     t("person.renamed", { name: "Ada" })           named placeholders; numbers get the format of the user's region
 *     make("p", {}, ...rich("page.docs", { link }))  elements as values
 *     <button data-t="people.more">Show more</button>        in index.html; the English text stays in the element
 *     <input data-t-placeholder="people.q" placeholder="Name or id">       an attribute, such as `aria-label`
 *     <p data-t="page.docs">See <a href="docs" data-slot="link">/docs</a>.</p>   `{link}` in the message is the element
 *
 * A new text needs its key in all languages: the English file first, the others with the same placeholders. Keys are sorted.
 * Write keys literally, or as a table of literal keys; t(`errors.${code}`) counts as a use of all keys that start with `errors.`.
 * `locale` is for Intl, such as dates; numbers.js has most formats. tests/web/test_messages.py checks all of this.
 */

const CHOICE = "arcid.language"; // the only entry in localStorage
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** @typedef {string | {other: string, [category: string]: string}} Message by Intl.PluralRules of `count`, if it has forms */

const list = /** @type {HTMLSelectElement} */ (document.getElementById("language"));
const wishes = [localStorage.getItem(CHOICE), ...navigator.languages].map((each) => (each ?? "").split("-")[0]);
const chosen = wishes.map((wish) => [...list.options].find((each) => each.value === wish)).find(Boolean) ?? list.options[0];

list.value = chosen.value;
document.documentElement.lang = chosen.lang;
document.documentElement.dir = chosen.dir || "ltr";

// The words of the page's language with the numbers and dates of the user's region: "10 million", "40.000" in Germany.
const { region } = new Intl.Locale(navigator.language.replace(/@.*/, "")).maximize();
export const locale = new Intl.Locale(chosen.lang, { region }).toString();

const plurals = new Intl.PluralRules(chosen.lang);
const numbers = new Intl.NumberFormat(locale);
/** @type {Record<string, Message>} */
const messages = await (await fetch(new URL(`messages.${chosen.value}.json`, import.meta.url))).json();

/** Whether there is a text with this key, such as for the code of an error. */
export const isKnown = (/** @type {string} */ key) => key in messages;

/**
 * @param {string} key
 * @param {Record<string, any>} [values] of the placeholders; `count` selects the plural
 * @returns {string}
 */
export const t = (key, values = {}) => rich(key, values).join("");

/**
 * @param {string} key
 * @param {Record<string, any>} [values] as for `t`, and also nodes
 * @returns {(string | Node)[]} children for `make`
 */
export function rich(key, values = {}) {
  const message = messages[key] ?? key;
  const form = typeof message === "string" ? message : (message[plurals.select(values.count)] ?? message.other);
  return form.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? shown(values[part] ?? `{${part}}`) : part)).filter((part) => part !== "");
}

function shown(/** @type {any} */ value) {
  if (typeof value === "number") return numbers.format(value);
  // Isolated, so that a name in another direction does not mix up the words around it.
  return typeof value === "string" && (chosen.dir === "rtl" || RIGHT_TO_LEFT.test(value)) ? `\u2068${value}\u2069` : value;
}

/** Keep the language for later visits, and load the page again in it. */
export function useLanguage(/** @type {string} */ language) {
  localStorage.setItem(CHOICE, language);
  location.reload();
}

for (const element of document.querySelectorAll("[data-t]")) {
  const slots = Object.fromEntries([...element.querySelectorAll("[data-slot]")].map((each) => [each.getAttribute("data-slot"), each]));
  element.replaceChildren(...rich(element.getAttribute("data-t") ?? "", slots));
}
for (const name of ["aria-label", "placeholder", "title"]) {
  for (const element of document.querySelectorAll(`[data-t-${name}]`)) element.setAttribute(name, t(element.getAttribute(`data-t-${name}`) ?? ""));
}
