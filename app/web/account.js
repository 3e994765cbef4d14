/** Who uses the page: the key's name and scopes, sign-in and sign-out, and the tabs that the key does not allow. */

import { Problem, call, whenRefused } from "./api.js";
import { button, byId, make } from "./elements.js";
import { t } from "./i18n.js";
import { moment } from "./numbers.js";
import { returned } from "./organization.js";
import { listOf } from "./phrases.js";
import { attempt, clearProblems } from "./problems.js";
import { key, session, signOut, useKey } from "./session.js";
import { signIn } from "./signin.js";
import { guardTabs, refresh } from "./tabs.js";

/** @typedef {{name: string, key_id: string | null, scopes: string[], collections: string[] | null, expires_at: string | null, is_session: boolean, keys_required: boolean, can_create_keys: boolean}} User */

/** The scopes of which a tab needs one. */
const NEEDS = { identify: ["recognise"], enroll: ["enroll"], verify: ["recognise"], people: ["manage"], unnamed: ["manage"], health: ["manage"], jobs: ["manage"], admin: ["manage", "metrics", "admin"] };

/** @type {User | null} */
let user = null;

/** @returns {User | null} null if the service did not say */
export const me = () => user;

export const may = (/** @type {string} */ scope) => user === null || user.scopes.includes(scope);

/** Find out who uses the page; a service with keys asks for one first. */
export async function startAccount() {
  const failure = await comeBack();
  whenRefused((problem) => signIn((problem.code === "key_missing" && failure) || t(problem.code === "key_missing" ? "signin.needed" : "signin.again")));
  guardTabs((name) => (NEEDS[name].some(may) ? null : lacking(byId(`tab-${name}`).textContent, NEEDS[name])));
  await load();
  session.addEventListener("key", () => {
    clearProblems();
    void load().then(refresh);
  });
}

/** @returns {Promise<string>} why the provider's answer does not sign the user in; empty if it does, or without one */
async function comeBack() {
  try {
    const secret = await returned();
    if (secret) useKey(secret, true);
    return "";
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return `${problem.title}: ${problem.detail}`;
  }
}

async function leave() {
  if (user?.is_session) await attempt(byId("account"), () => call("DELETE", "sessions/current"));
  signOut();
}

async function load() {
  user = (await attempt(byId("account"), () => call("GET", "me"))) ?? null;
  draw();
}

function draw() {
  const host = byId("account");
  if (!user || key() === null) return host.replaceChildren();
  const facts = [
    [t("account.scopes"), scopeTags(user.scopes.includes("admin") ? ["admin"] : user.scopes)],
    [t("account.collections"), [user.collections ? listOf(user.collections) : t("account.all_collections")]],
    [t("account.until"), [user.expires_at ? moment(user.expires_at) : t("account.no_end")]],
  ];
  const menu = make(
    "div",
    { id: "account-menu", popover: "auto", class: "card menu" },
    make("p", { class: "hint" }, t("account.signed_in_as")),
    make("p", {}, make("b", {}, user.name)),
    make("dl", { class: "pairs" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, ...value)])),
    make("div", { class: "row" }, button(t("account.other"), () => void (menu.hidePopover(), signIn("", true)), "small"), button(t("account.sign_out"), () => void leave(), "small")),
  );
  const opener = make("button", { type: "button", class: "quiet user", popovertarget: "account-menu" }, make("span", { class: "hidden-text" }, t("account.signed_in_as"), " "), user.name);
  host.replaceChildren(opener, menu);
}

/** @returns {HTMLElement[]} the scopes by name, each with its meaning as a tooltip */
export const scopeTags = (/** @type {string[]} */ scopes) => scopes.map((each) => make("span", { class: "tag", title: t(`scope.${each}`) }, each));

/**
 * @param {string} what a tab or view
 * @param {string[]} scopes of which it needs one
 * @returns {HTMLElement[]} what to show in its place
 */
export function lacking(what, scopes) {
  return [
    make("h2", { tabIndex: -1 }, t("account.lacking_title", { what })),
    make("p", {}, t("account.lacking", { name: user?.name ?? "" })),
    make("ul", { class: "plain" }, ...scopes.map((each) => make("li", {}, make("b", {}, each), `: ${t(`scope.${each}`)}`))),
    make("div", { class: "row" }, button(t("account.other"), () => void signIn("", true), "main")),
  ];
}
