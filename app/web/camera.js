/** This machine's camera, and photos from it. */

import { Problem } from "./api.js";
import { t } from "./i18n.js";

const LONGEST = 1280; // pixels of a frame's longer side; enough for faces at arm's length, and small to send
const REFUSED = {
  NotAllowedError: "problems.cameraDenied",
  NotFoundError: "problems.cameraNone",
  NotReadableError: "problems.cameraBusy",
};

/** One open camera, shown in a video element. */
export class Camera {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    /** @type {MediaStream | null} */
    this.stream = null;
    this.closing = new AbortController();
  }

  /** Open the camera. Throws Problem without a camera or permission to use it, and AbortError once it is closed. */
  async open() {
    if (!navigator.mediaDevices) {
      throw new Problem({ title: t("problems.noCamera"), code: "camera_insecure", detail: t("problems.cameraInsecure") });
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: LONGEST } } });
      this.closing.signal.throwIfAborted();
      this.video.srcObject = this.stream;
      this.video.muted = true;
      this.video.playsInline = true;
      await this.video.play();
    } catch (error) {
      const { aborted, reason } = this.closing.signal;
      this.close();
      if (aborted) throw reason;
      const name = error instanceof DOMException ? error.name : "";
      throw new Problem({ title: t("problems.noCamera"), code: "camera_unavailable", detail: REFUSED[name] ? t(REFUSED[name]) : String(error) });
    }
  }

  /** @returns {Promise<File>} the current frame, as JPEG */
  async frame() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d")?.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
    if (!blob) throw new Problem({ title: t("problems.noPicture"), code: "camera_unavailable", detail: t("problems.noPictureYet") });
    return new File([blob], "camera.jpg", { type: "image/jpeg" });
  }

  /** Release the camera for good, also one that is still being opened; its light goes out. */
  close() {
    this.closing.abort();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}
