/** A field for photos: chosen files, dropped files, the camera. */

import { Camera } from "./camera.js";
import { button, make, say } from "./elements.js";
import { t } from "./i18n.js";
import { attempt } from "./problems.js";

/**
 * @typedef {object} PhotoField
 * @property {() => void} close release the camera
 */

/**
 * @param {HTMLElement} host
 * @param {object} wishes
 * @param {boolean} [wishes.isMultiple]
 * @param {(photos: File[]) => void} wishes.onPhotos
 * @param {() => void} [wishes.onLive] replaces taking photos with the camera
 * @returns {PhotoField}
 */
export function photoField(host, { isMultiple = false, onPhotos, onLive }) {
  const file = make("input", { type: "file", accept: "image/*,.heic,.heif", multiple: isMultiple, hidden: true, tabIndex: -1 });
  const choose = button(t(isMultiple ? "camera.choosePhotos" : "camera.choosePhoto"), () => file.click());
  const camera = button(t(onLive ? "camera.live" : "camera.use"), () => (onLive ? onLive() : void openCamera()));
  const drop = make("div", { class: "drop" }, make("div", { class: "row" }, choose, camera), make("p", {}, t(isMultiple ? "camera.dropPhotos" : "camera.dropPhoto")), file);
  const viewer = make("div", { class: "viewer", hidden: true });
  host.replaceChildren(drop, viewer);

  const take = (/** @type {File[]} */ files) => {
    if (!files.length) return;
    drop.classList.add("compact");
    onPhotos(isMultiple ? files : files.slice(0, 1));
  };
  file.onchange = () => {
    take([...(file.files ?? [])]);
    file.value = "";
  };
  drop.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...(event.dataTransfer?.files ?? [])]);
  };

  /** @type {Camera | null} */
  let open = null;
  const close = () => {
    open?.close();
    open = null;
    viewer.hidden = true;
    viewer.replaceChildren();
  };
  async function openCamera() {
    const video = make("video", { "aria-label": t("camera.view") });
    const mine = new Camera(video);
    await attempt(host, async () => {
      close();
      open = mine;
      await mine.open();
      const shoot = button(t("camera.take"), () => void attempt(viewer, async () => {
        take([await mine.frame()]);
        say(t("camera.taken"));
        if (!isMultiple) close();
      }), "main");
      viewer.replaceChildren(video, make("div", { class: "row" }, shoot, button(t("camera.close"), close, "quiet")));
      viewer.hidden = false;
      await video.play();
      shoot.focus();
    });
  }
  document.addEventListener("visibilitychange", () => document.hidden && close());
  return { close };
}
