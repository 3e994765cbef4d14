/** The camera of this machine, and photos from it. */

import { Problem } from "./api.js";

const LONGEST = 1280; // pixels of a frame's longer side: faces at arm's length are large, and frames small
const REFUSED = {
  NotAllowedError: "The browser was not allowed to use the camera. Its settings for this page say so.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program, or does not answer.",
};

/** One open camera, shown in a video element. */
export class Camera {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    /** @type {MediaStream | null} */
    this.stream = null;
  }

  /** Throws Problem when there is none, or none that this page may use. */
  async open() {
    if (!navigator.mediaDevices) {
      throw new Problem({ title: "No camera", code: "camera_insecure", detail: "Browsers give cameras only to pages over HTTPS, or on this machine." });
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: LONGEST } } });
      this.video.srcObject = this.stream;
      this.video.muted = true;
      this.video.playsInline = true;
      await this.video.play();
    } catch (error) {
      this.close();
      const name = error instanceof DOMException ? error.name : "";
      throw new Problem({ title: "No camera", code: "camera_unavailable", detail: REFUSED[name] ?? String(error) });
    }
  }

  /** @returns {Promise<File>} what it sees now, as JPEG */
  async frame() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d")?.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
    if (!blob) throw new Problem({ title: "No picture", code: "camera_unavailable", detail: "The camera gives no picture yet." });
    return new File([blob], "camera.jpg", { type: "image/jpeg" });
  }

  /** Let go of it; its light goes out. */
  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}
