/** Errors, shown and announced at once; passing ones can be retried. */

import { Problem } from "./api.js";
import { button, byId, make } from "./elements.js";
import { isKnown, locale, t } from "./i18n.js";
import { seconds } from "./numbers.js";

// The English detail adds nothing to the title.
const PLAIN = ["no_face", "not_found", "body_empty", "internal_error", "shutting_down", "key_missing", "key_invalid"];

/** @type {WeakSet<object>} */
const busy = new WeakSet();

/** Remove the shown error. */
export function clearProblems() {
  byId("problems").replaceChildren();
}

/** @returns {string} an error's code in words */
export const titleOf = (/** @type {string} */ code, instead = code) => (isKnown(`errors.${code}`) ? t(`errors.${code}`) : instead);

/**
 * @param {{code: string, detail?: string | null, title?: string}} error of the service
 * @returns {(string | Node)[]} the error in the user's language, then the detail of the service, which is English
 */
export function explained({ code, detail, title = code }) {
  const isSaid = !detail || (!locale.startsWith("en") && PLAIN.includes(code));
  return [make("b", {}, titleOf(code, title)), ...(isSaid ? [] : [" – ", make("span", { lang: "en" }, detail)])];
}

/**
 * @param {unknown} error a Problem; other errors are bugs of this page
 * @param {(() => void) | null} [retry]
 */
export function showProblem(error, retry = null) {
  const problem = error instanceof Problem ? error : new Problem({ title: t("problems.pageFailed"), detail: String(error), code: "page_error" });
  if (!(error instanceof Problem)) console.error(error);
  const fields = (problem.members.errors ?? []).map((each) => make("li", { lang: "en" }, `${each.field}: ${each.detail}`));
  const wait = problem.retryAfter ? t("problems.wait", { seconds: seconds(problem.retryAfter) }) : null;
  const shown = make(
    "div",
    { class: "problem" },
    make("p", {}, ...(problem.status ? explained(problem) : [make("b", {}, problem.title), problem.detail ? ` – ${problem.detail}` : ""])),
    fields.length ? make("ul", {}, ...fields) : null,
    make("p", {}, make("small", {}, make("code", {}, problem.code), problem.requestId ? ` · ${t("problems.request", { id: problem.requestId })}` : "", wait ? ` · ${wait}` : "")),
  );
  const dismiss = () => shown.remove();
  const again = retry && problem.isPassing ? button(t("problems.again"), () => (dismiss(), retry()), "small") : null;
  shown.append(make("div", { class: "row" }, again, button(t("page.dismiss"), dismiss, "small quiet")));
  byId("problems").replaceChildren(shown);
  shown.scrollIntoView({ block: "nearest" });
}

/**
 * Run an action that may fail, one at a time per `owner`.
 *
 * @template Result
 * @param {HTMLElement} owner marked as busy during the action
 * @param {() => Promise<Result>} work
 * @param {(problem: Problem) => void} [onProblem] shows details
 * @param {boolean} [isByItself] the user did not ask for it, so what is shown stays
 * @returns {Promise<Result | undefined>}
 */
export async function attempt(owner, work, onProblem = () => {}, isByItself = false) {
  if (busy.has(owner)) return undefined;
  busy.add(owner);
  owner.setAttribute("aria-busy", "true");
  if (!isByItself) clearProblems();
  try {
    return await work();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    showProblem(error, () => void attempt(owner, work, onProblem));
    if (error instanceof Problem) onProblem(error);
    return undefined;
  } finally {
    busy.delete(owner);
    owner.removeAttribute("aria-busy");
  }
}

/**
 * @param {(signal: AbortSignal) => Promise<void>} work
 * @param {AbortSignal} signal ends all
 * @returns {() => Promise<void>} a function that runs the work, and ends an earlier run that is still under way
 */
export function latest(work, signal) {
  let running = new AbortController();
  return async () => {
    running.abort();
    running = new AbortController();
    const both = AbortSignal.any([signal, running.signal]);
    await attempt(make("div"), () => work(both));
  };
}
