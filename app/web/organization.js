/**
 * Sign-in with the OpenID provider of the service: authorization code flow with PKCE (RFC 7636).
 *
 * The provider sends the user back to this page with a code. State, nonce and verifier stay in the tab that asked, so a code of
 * another sign-in does not work here.
 */

import { Problem, call } from "./api.js";
import { button, make } from "./elements.js";
import { t } from "./i18n.js";

const STARTED = "arcid.sign-in";

/**
 * @param {HTMLElement} error where to show why it fails
 * @returns {HTMLElement} a place for the button of the provider; it stays empty without a provider
 */
export function organizationButton(error) {
  const place = make("div", { class: "elsewhere", hidden: true });
  void call("GET", "sign-in").then(({ provider }) => {
    if (!provider) return;
    const isPossible = window.isSecureContext; // other pages cannot compute the challenge
    const go = button(t("organization.signIn", { name: provider.name }), () => void leave(error));
    go.disabled = !isPossible;
    place.append(go, ...(isPossible ? [] : [make("p", { class: "hint" }, t("organization.insecure"))]));
    place.hidden = false;
  });
  return place;
}

async function leave(/** @type {HTMLElement} */ error) {
  const [state, nonce, verifier] = [random(), random(), random()];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  try {
    const { url } = await call("POST", "sign-in/address", { json: { redirect_uri: home(), state, nonce, code_challenge: base64url(new Uint8Array(digest)) } });
    sessionStorage.setItem(STARTED, JSON.stringify({ state, nonce, verifier, hash: location.hash }));
    location.assign(url);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    error.textContent = `${problem.title}: ${problem.detail}`;
  }
}

/**
 * Complete a sign-in if the provider has just sent the user back, and restore the page's address.
 *
 * @returns {Promise<string | null>} the session's key; throws Problem
 */
export async function returned() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return null;
  const started = JSON.parse(sessionStorage.getItem(STARTED) ?? "null");
  sessionStorage.removeItem(STARTED);
  history.replaceState(null, "", home() + (started?.hash ?? ""));
  const title = t("organization.failed");
  if (!started || started.state !== answer.get("state")) throw new Problem({ title, detail: t("organization.otherTab"), code: "sign_in_refused" });
  const code = answer.get("code");
  if (!code) throw new Problem({ title, detail: answer.get("error_description") ?? answer.get("error") ?? "", code: "sign_in_refused" });
  const json = { code, code_verifier: started.verifier, nonce: started.nonce, redirect_uri: home() };
  return (await call("POST", "sign-in/session", { json })).key;
}

/** The address of this page without query and fragment, which is registered with the provider. */
const home = () => location.origin + location.pathname;

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

const base64url = (/** @type {Uint8Array} */ bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
