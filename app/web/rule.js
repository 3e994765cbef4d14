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
  const fixed = { text: t("rule.fixed", { needed }), effect: t("rule.fixedEffect"), change: { threshold, max_fpir: null } };
  const usual = { text: t("rule.default"), effect: t("rule.defaultEffect"), change: { threshold: null, max_fpir: null } };
  if (!rates || !rates.fpir_range[0] || rates.fpir > MOST_FPIR) return [fixed, usual];
  const share = { text: t("rule.share", { often: often(rates.fpir, null, "lookups") }), effect: t("rule.shareEffect", { needed }), change: { threshold: null, max_fpir: Number(rates.fpir.toPrecision(3)) } };
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
  const dialog = make("dialog", { class: "rule", "aria-labelledby": "rule-title" }, make("h2", { id: "rule-title" }, t("rule.title", { collection: collection() })), make("fieldset", {}, make("legend", { class: "hidden-text" }, t("rule.legend")), ...options), make("div", { class: "row end" }, cancel, save));
  document.body.append(dialog);
  const isSaved = await opened(dialog, (close) => {
    cancel.onclick = () => close(false);
    save.onclick = () => close(true);
  });
  const { change } = offered[Number(dialog.querySelector(":checked").value)];
  dialog.remove();
  if (!isSaved) return false;
  await call("PATCH", at("collections/{}", collection()), { json: change });
  say(t("rule.saved"));
  return true;
}
