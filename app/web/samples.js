/** Sample photos to look up, which the demo serves. */

import { byId, make } from "./elements.js";
import { t } from "./i18n.js";
import { attempt } from "./problems.js";

/** @returns {string} what a sample shows; its name, if it is not one of the demo's */
function titleOf(/** @type {string} */ name) {
  const titles = { "sample-group.jpg": t("samples.group"), "sample-portrait.jpg": t("samples.portrait"), "sample-stranger.jpg": t("samples.stranger") };
  return titles[name] ?? name;
}

/**
 * @param {(photo: File) => void} onPhoto
 * @returns {Promise<void>} when the samples of the demo are listed
 */
export async function startSamples(onPhoto) {
  const names = /** @type {string[]} */ (await (await fetch(new URL("sample-photos.json", import.meta.url))).json());
  const items = names.map((name) => {
    const address = new URL(name, import.meta.url);
    const take = async () => onPhoto(new File([await (await fetch(address)).blob()], name, { type: "image/jpeg" }));
    const button = make("button", { type: "button", onclick: () => void attempt(button, take) }, make("img", { src: address.href, alt: "", loading: "lazy" }), make("span", {}, titleOf(name)));
    return make("li", {}, button);
  });
  byId("samples-list").replaceChildren(...items);
  byId("samples").hidden = names.length === 0;
}
