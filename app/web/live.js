/** The live camera: about one frame per second, one request at a time, none while the tab is hidden. */

import { Camera } from "./camera.js";

const EVERY_MS = 1000;

export class Live {
  /**
   * @param {HTMLVideoElement} video
   * @param {(frame: File, signal: AbortSignal) => Promise<void>} look handler of a frame
   * @param {(error: unknown) => void} ended called once, without an error if it was stopped
   */
  constructor(video, look, ended) {
    this.camera = new Camera(video);
    this.look = look;
    this.ended = ended;
    this.stopping = new AbortController();
    this.hidden = () => document.hidden && this.stop();
  }

  /** Run until it is stopped, the tab is hidden, or a request fails. */
  async run() {
    document.addEventListener("visibilitychange", this.hidden);
    const { signal } = this.stopping;
    let failure;
    try {
      await this.camera.open();
      while (!signal.aborted) {
        const began = performance.now();
        await this.look(await this.camera.frame(), signal);
        await pause(EVERY_MS - (performance.now() - began), signal);
      }
    } catch (error) {
      if (!signal.aborted) failure = error;
    } finally {
      document.removeEventListener("visibilitychange", this.hidden);
      this.camera.close();
      this.ended(failure);
    }
  }

  stop() {
    this.stopping.abort();
    this.camera.close();
  }
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(milliseconds, 0));
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
