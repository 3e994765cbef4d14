/** The view of API keys: list, create and revoke them. */

import { me, scopeTags } from "./account.js";
import { at, call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { button, make, say } from "./elements.js";
import { t } from "./i18n.js";
import { keyForm } from "./keyform.js";
import { moment } from "./numbers.js";
import { listOf } from "./phrases.js";
import { attempt, latest } from "./problems.js";
import { useKey } from "./session.js";

/** @typedef {{key_id: string, name: string, scopes: string[], collections: string[] | null, rate: string | null, quota: string | null, created_at: string, expires_at: string | null, revoked_at: string | null, state: string, secret?: string}} Key */

const PAGE = 200;
/** @type {Key | null} a new key, shown until the user has kept it: the first one signs in, which draws the view again */
let fresh = null;

/** @type {import("./admin.js").View} */
export async function showKeys(host, _about, signal) {
  const list = make("ul", { class: "entries", "aria-label": t("admin.keys") });
  const more = button(t("admin.more"), () => void attempt(list, () => next()), "small");
  const state = make("select", { "aria-label": t("keys.which") }, ...["active", "", "expired", "revoked"].map((each) => make("option", { value: each }, t(`keys.state_${each || "all"}`))));
  const news = make("div", { class: "key-news" });
  const create = button(t("keys.create"), open, "main");
  /** @type {string | null} */
  let cursor = null;

  async function next(/** @type {AbortSignal} */ until = signal) {
    const page = await call("GET", "keys", { query: { state: state.value, limit: PAGE, cursor }, signal: until });
    list.append(...page.keys.map(entry));
    cursor = page.next_cursor;
    more.hidden = cursor === null;
    if (!list.childElementCount) list.append(make("li", { class: "hint" }, t("keys.none")));
  }
  async function reload(/** @type {AbortSignal} */ until = signal) {
    cursor = null;
    list.replaceChildren();
    await next(until);
  }
  function open() {
    create.hidden = true;
    news.replaceChildren(keyForm({ isFirst: me()?.keys_required === false, onCancel: close, onCreate: created }));
    news.querySelector("input")?.focus();
  }
  function close() {
    fresh = null;
    news.replaceChildren();
    create.hidden = false;
    create.focus();
  }
  function showFresh() {
    if (!fresh) return;
    create.hidden = true;
    news.replaceChildren(secretCard(fresh, close));
  }
  function created(/** @type {Key} */ key) {
    const isFirst = me()?.keys_required === false;
    fresh = key;
    showFresh();
    news.querySelector("h3")?.focus();
    say(t("keys.created", { name: key.name }));
    if (isFirst) useKey(key.secret ?? "", true); // from now on the service asks for a key
    else void attempt(list, () => reload());
  }
  function entry(/** @type {Key} */ key) {
    const facts = [
      key.collections ? t("keys.only", { names: listOf(key.collections) }) : t("account.all_collections"),
      key.expires_at ? t(key.state === "expired" ? "keys.expired_at" : "keys.expires_at", { when: moment(key.expires_at) }) : t("account.no_end"),
      key.rate ? t("keys.rate_is", { rate: key.rate }) : "",
      key.quota ? t("keys.quota_is", { quota: key.quota }) : "",
      key.revoked_at ? t("keys.revoked_at", { when: moment(key.revoked_at) }) : t("keys.created_at", { when: moment(key.created_at) }),
    ];
    const isMine = key.key_id === me()?.key_id;
    const revoke = button(t("keys.revoke"), () => void attempt(list, () => revoked(key, isMine)), "small danger");
    revoke.setAttribute("aria-label", t("keys.revoke_name", { name: key.name }));
    return make(
      "li",
      { "data-key": key.key_id },
      make("div", { class: "entry-text" }, make("span", {}, make("b", {}, key.name), " ", make("code", {}, key.key_id), isMine ? make("span", { class: "tag" }, t("keys.mine")) : null, key.state === "active" ? null : make("span", { class: "tag refused" }, t(`keys.is_${key.state}`))), make("span", {}, ...scopeTags(key.scopes)), make("small", {}, facts.filter(Boolean).join(" · "))),
      key.state === "active" ? revoke : null,
    );
  }
  async function revoked(/** @type {Key} */ key, /** @type {boolean} */ isMine) {
    if (!(await confirmed(t("keys.revoke_title", { name: key.name }), t(isMine ? "keys.revoke_mine" : "keys.revoke_text"), t("keys.revoke")))) return;
    await call("DELETE", at("keys/{}", key.key_id));
    say(t("keys.revoked", { name: key.name }));
    await reload();
  }

  state.onchange = latest(reload, signal);
  await next();
  if (signal.aborted) return;
  const isClosed = me()?.can_create_keys === false;
  const note = isClosed ? make("p", { class: "note" }, t("keys.by_command"), " ", make("code", {}, "arcid keys create NAME --scope admin")) : me()?.keys_required === false ? make("p", { class: "note" }, t("keys.open_service")) : null;
  host.replaceChildren(make("div", { class: "view-head" }, make("h2", {}, t("admin.keys")), isClosed ? null : create), make("p", { class: "hint" }, t("keys.about")), ...[note, news].filter((each) => each !== null), make("div", { class: "row filters" }, state), list, more);
  showFresh();
}

/** The secret of a new key, which is shown once. */
function secretCard(/** @type {Key} */ key, /** @type {() => void} */ close) {
  const field = make("input", { readOnly: true, value: key.secret ?? "", class: "secret", "aria-label": t("keys.secret"), spellcheck: false, onfocus: () => field.select() });
  const copy = button(t("keys.copy"), async () => {
    field.select();
    await navigator.clipboard.writeText(field.value).catch(() => document.execCommand("copy")); // without TLS there is no clipboard object
    copy.textContent = t("keys.copied");
    say(t("keys.copied"));
  }, "main");
  return make(
    "div",
    { class: "card match" },
    make("h3", { tabIndex: -1 }, t("keys.created", { name: key.name })),
    make("p", {}, t("keys.once")),
    make("div", { class: "row joined" }, field, copy),
    make("div", { class: "row end" }, button(t("keys.done"), close)),
  );
}
