/** Errors, shown and announced at once; passing ones can be retried. */

import { Problem } from "./api.js";
import { button, byId, make } from "./elements.js";
import { t } from "./i18n.js";

/** @type {WeakSet<object>} */
const busy = new WeakSet();

/** Remove the shown error. */
export function clearProblems() {
  byId("problems").replaceChildren();
}

/**
 * @param {unknown} error a Problem; other errors are bugs of this page
 * @param {(() => void) | null} [retry]
 */
export function showProblem(error, retry = null) {
  const problem = error instanceof Problem ? error : new Problem({ title: "The page failed", detail: String(error), code: "page_error" });
  if (!(error instanceof Problem)) console.error(error);
  const fields = (problem.members.errors ?? []).map((each) => make("li", {}, `${each.field}: ${each.detail}`));
  const wait = problem.retryAfter ? `The service asks to wait ${problem.retryAfter} s.` : null;
  const shown = make(
    "div",
    { class: "problem" },
    make("p", {}, make("b", {}, problem.title), problem.detail ? ` – ${problem.detail}` : ""),
    fields.length ? make("ul", {}, ...fields) : null,
    make("p", {}, make("small", {}, make("code", {}, problem.code), problem.requestId ? ` · request ${problem.requestId}` : "", wait ? ` · ${wait}` : "")),
  );
  const dismiss = () => shown.remove();
  const again = retry && problem.isPassing ? button("Try again", () => (dismiss(), retry()), "small") : null;
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
