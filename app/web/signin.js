/** The sign-in view: a form for an API key that covers the page. */

import { Problem, call } from "./api.js";
import { opened } from "./dialogs.js";
import { button, make } from "./elements.js";
import { t } from "./i18n.js";
import { organizationButton } from "./organization.js";
import { useKey } from "./session.js";

const COMMAND = "arcid keys create NAME --scope recognise";

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Ask for a key until the service accepts one. Callers that ask while the view is open get the same answer.
 *
 * @param {string} reason
 * @param {boolean} [isOptional] the user may cancel
 * @returns {Promise<boolean>} whether the user signed in
 */
export function signIn(reason, isOptional = false) {
  asking ??= view(reason, isOptional).finally(() => (asking = null));
  return asking;
}

async function view(/** @type {string} */ reason, /** @type {boolean} */ isOptional) {
  const title = document.title;
  document.title = `${t("signin.title")} · ArcID`;
  const form = make("form", { class: "sign-in-form" });
  const dialog = make("dialog", { class: "sign-in", "aria-labelledby": "sign-in-title" }, form);
  document.body.append(dialog);
  let isIn = false;
  do {
    isIn = await opened(dialog, (close) => fill(form, reason, isOptional ? () => close(false) : null, () => close(true)));
  } while (!isIn && !isOptional);
  dialog.remove();
  document.title = title;
  return isIn;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} reason
 * @param {(() => void) | null} onCancel
 * @param {() => void} onDone
 */
function fill(form, reason, onCancel, onDone) {
  const field = make("input", { type: "password", id: "key", name: "password", autocomplete: "current-password", spellcheck: false, autocapitalize: "off", required: true, "aria-describedby": "key-error" });
  const reveal = make("button", { type: "button", class: "quiet", "aria-pressed": "false", "aria-controls": "key" }, t("signin.show"));
  reveal.onclick = () => {
    const isHidden = field.type === "password";
    field.type = isHidden ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(isHidden));
    reveal.textContent = t(isHidden ? "signin.hide" : "signin.show");
  };
  const keep = make("input", { type: "checkbox", id: "key-keep", checked: true, "aria-describedby": "key-keep-hint" });
  const error = make("p", { id: "key-error", class: "wrong", role: "alert" });
  const submit = make("button", { type: "submit", class: "main" }, t("signin.submit"));
  // Password managers file a password under a user name.
  const user = make("input", { type: "text", name: "username", autocomplete: "username", value: "ArcID", readOnly: true, hidden: true, tabIndex: -1, "aria-hidden": "true" });
  form.onsubmit = (event) => {
    event.preventDefault();
    void attempted(field.value.trim(), keep.checked, { submit, error, field, onDone });
  };
  const parts = [
    make("h1", { class: "brand" }, make("img", { src: "web/icon.svg", alt: "", width: 28, height: 28 }), "ArcID"),
    make("h2", { id: "sign-in-title" }, t("signin.title")),
    reason ? make("p", { class: "hint" }, reason) : null,
    user,
    make("label", { htmlFor: "key" }, t("signin.key")),
    make("div", { class: "row joined" }, field, reveal),
    error,
    make("label", { class: "check" }, keep, make("span", {}, t("signin.keep"), make("small", { id: "key-keep-hint" }, t("signin.keep_hint")))),
    submit,
    organizationButton(error),
    onCancel ? button(t("signin.cancel"), onCancel, "quiet") : null,
    make("details", {}, make("summary", {}, t("signin.where")), make("p", { class: "hint" }, t("signin.where_text")), make("p", {}, make("code", {}, COMMAND))),
  ];
  form.replaceChildren(...parts.filter((each) => each !== null));
}

async function attempted(/** @type {string} */ secret, /** @type {boolean} */ isKept, /** @type {any} */ { submit, error, field, onDone }) {
  submit.disabled = true;
  error.textContent = "";
  field.removeAttribute("aria-invalid");
  try {
    await call("GET", "me", { secret });
    useKey(secret, isKept);
    onDone();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    error.textContent = wordsOf(problem, secret);
    field.setAttribute("aria-invalid", "true");
    field.focus();
    field.select();
  } finally {
    submit.disabled = false;
  }
}

function wordsOf(/** @type {Problem} */ problem, /** @type {string} */ secret) {
  if (problem.status === 401) return t(secret.startsWith("arcid_") ? "signin.wrong" : "signin.no_key");
  if (problem.status === 429) return t("signin.too_many", { seconds: problem.retryAfter ?? 60 });
  return `${problem.title}: ${problem.detail}`;
}
