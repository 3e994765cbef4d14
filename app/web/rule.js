/** The dialog that makes the slider's threshold the rule of the collection. */

import { at, call } from "./api.js";
import { opened } from "./dialogs.js";
import { button, make, say } from "./elements.js";
import { t } from "./i18n.js";
import { often, similarity } from "./numbers.js";
import { collection } from "./session.js";

const MOST_FPIR = 0.5; // that a collection may have

/**
 * @param {number} threshold
 * @param {{fpir: number, fpir_range: number[]} | null} rates there
 * @returns {{text: string, effect: string, change: {threshold: number | null, max_fpir: number | null}}[]}
 */
function choices(threshold, rates) {
  const needed = similarity(threshold, 3);
  const fixed = { text: `A similarity of ${needed}`, effect: "Identify and Verify then need it, however many people are enrolled.", change: { threshold, max_fpir: null } };
  const usual = { text: "The service’s default", effect: "The collection then has no rule of its own.", change: { threshold: null, max_fpir: null } };
  if (!rates || !rates.fpir_range[0] || rates.fpir > MOST_FPIR) return [fixed, usual];
  const share = { text: `Strangers match ${often(rates.fpir, null, "lookups")}`, effect: `Identify then needs a similarity of ${needed}, and a higher one when more people are enrolled. Verify has the service’s default.`, change: { threshold: null, max_fpir: Number(rates.fpir.toPrecision(3)) } };
  return [share, fixed, usual];
}

/**
 * @param {number} threshold
 * @param {{fpir: number, fpir_range: number[]} | null} rates there
 * @returns {Promise<boolean>} whether the collection has the rule now; throws Problem
 */
export async function saveRule(threshold, rates) {
  const offered = choices(threshold, rates);
  const options = offered.map(({ text, effect }, place) =>
    make("label", { class: "check" }, make("input", { type: "radio", name: "rule", value: String(place), checked: place === 0 }), make("span", {}, text, make("small", {}, effect))),
  );
  const [cancel, save] = [button(t("page.cancel"), () => {}, "quiet"), button(t("page.save"), () => {}, "main")];
  const dialog = make("dialog", { class: "rule", "aria-labelledby": "rule-title" }, make("h2", { id: "rule-title" }, `What makes a match in “${collection()}”?`), make("fieldset", {}, make("legend", { class: "hidden-text" }, "Rule"), ...options), make("div", { class: "row end" }, cancel, save));
  document.body.append(dialog);
  const isSaved = await opened(dialog, (close) => {
    cancel.onclick = () => close(false);
    save.onclick = () => close(true);
  });
  const { change } = offered[Number(dialog.querySelector(":checked").value)];
  dialog.remove();
  if (!isSaved) return false;
  await call("PATCH", at("collections/{}", collection()), { json: change });
  say("The rule is saved.");
  return true;
}
