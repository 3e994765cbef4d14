/** A running import: it prepares the ZIP, uploads it, and follows its job. */

import { at, call } from "./api.js";
import { button, make, say } from "./elements.js";
import { events } from "./events.js";
import { t } from "./i18n.js";
import { collection, peopleChanged } from "./session.js";
import { bytes, duration, speed } from "./sizes.js";
import { discardUpload, forgetUpload, uploaded } from "./upload.js";
import { crc32, zipped } from "./zip.js";

/** @typedef {import("./chosen.js").Photo} Photo */

/**
 * @typedef {object} Order
 * @property {Photo[]} photos
 * @property {Blob | null} zip uploaded instead of the photos
 * @property {string} face
 * @property {boolean} isFlat of the ZIP
 */

const FINAL = ["succeeded", "failed", "cancelled"];
const AGAIN_MS = 2000;

/** One import, shown in a host. `run` may be called again after a pause. */
export class ImportRun {
  /**
   * @param {HTMLElement} host
   * @param {Order} order
   * @param {() => void} onPause
   */
  constructor(host, order, onPause) {
    this.order = order;
    this.isCancelled = false;
    this.isPaused = false;
    this.collection = collection();
    this.job = /** @type {any} */ (null);
    this.stopping = new AbortController();
    this.label = make("b", {});
    this.detail = make("small", { class: "detail" });
    this.bar = make("progress", {});
    this.pause = button(t("import.pause"), () => (this.stopping.abort(), onPause()), "small");
    this.cancel = button(t("import.cancel"), () => void this.stop(), "small quiet");
    this.onEnd = onPause;
    host.replaceChildren(this.label, this.bar, this.detail, make("div", { class: "row" }, this.pause, this.cancel));
    host.hidden = false;
  }

  /** @returns {Promise<any>} the ended job; throws Problem, and AbortError if it is paused or cancelled */
  async run() {
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    this.isPaused = this.pause.hidden = false;
    this.order.zip ??= await this.zip(signal);
    const zip = this.order.zip;
    this.phase(t("import.uploading"));
    const print = `${this.print()}-${zip.size}`;
    const upload = await uploaded(zip, print, signal, (state) => this.sent(state));
    this.pause.hidden = true;
    this.phase(t("import.enrolling"));
    const { face, isFlat } = this.order;
    this.job = await call("POST", "jobs", { json: { kind: "import", collection: this.collection, face, flat: isFlat, upload }, signal });
    forgetUpload();
    await this.follow(signal);
    peopleChanged();
    return this.job;
  }

  /** Cancel the upload, or the job. */
  async stop() {
    this.isCancelled = true;
    if (this.job) {
      await call("POST", at("jobs/{}/cancel", this.job.job_id)).catch(() => {}); // it may have ended
    } else {
      this.stopping.abort();
      await discardUpload();
      this.onEnd();
    }
  }

  /** Show that it waits for the user. */
  paused() {
    this.isPaused = this.pause.hidden = true;
    this.phase(t("import.paused"));
    this.detail.textContent = "";
  }

  async zip(/** @type {AbortSignal} */ signal) {
    this.phase(t("import.preparing"));
    this.bar.max = this.order.photos.reduce((sum, each) => sum + each.size, 0) || 1;
    const entries = await Promise.all(this.order.photos.map(async (each) => ({ path: each.path, file: await each.blob() })));
    return zipped(entries, (done) => (this.bar.value = done), signal);
  }

  /** Identify the chosen files, to continue an upload after a reload. */
  print() {
    return crc32(new TextEncoder().encode(JSON.stringify(this.order.photos.map(({ path, size }) => [path, size]))));
  }

  sent(/** @type {import("./upload.js").State} */ state) {
    if (state.sent >= 0) [this.bar.max, this.bar.value] = [Math.max(state.size, 1), state.sent];
    const pace = state.speed ? t("import.pace", { speed: speed(state.speed), time: duration((state.size - state.sent) / state.speed) }) : "";
    const waiting = state.waiting ? t("import.waiting", { count: state.waiting }) : "";
    const far = state.sent >= 0 ? t("import.sent", { sent: bytes(state.sent), size: bytes(state.size) }) : "";
    this.detail.textContent = [waiting || pace, far].filter(Boolean).join(" · ");
  }

  phase(/** @type {string} */ text) {
    if (this.label.textContent === text) return;
    this.label.textContent = text;
    this.bar.setAttribute("aria-label", text);
    this.detail.textContent = "";
    say(text);
  }

  async follow(/** @type {AbortSignal} */ signal) {
    this.bar.removeAttribute("value");
    while (!FINAL.includes(this.job.state)) {
      try {
        for await (const { data } of events(at("jobs/{}/events", this.job.job_id), signal)) this.worked(data);
      } catch (error) {
        if (!(/** @type {any} */ (error).isPassing)) throw error;
      }
      if (!FINAL.includes(this.job.state)) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS)); // the stream broke off
    }
  }

  worked(/** @type {any} */ job) {
    this.job = job;
    if (job.total === null) return;
    [this.bar.max, this.bar.value] = [Math.max(job.total, 1), job.done];
    this.detail.textContent = t("import.done", { done: job.done, total: job.total });
  }
}
