/** Uploads in parts by tus 1.0.0, which continue after a broken connection, a pause, or a reload of the page. */

import { at, Problem, send } from "./api.js";

const STORED = "arcid.upload";
const LEAST_PART = 262_144;
const MOST_PART = 8_000_000;
const PART_S = 2; // a part should take about this long
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const MOVED = ["upload_conflict", "body_too_slow"];

/**
 * @typedef {object} State
 * @property {number} sent bytes
 * @property {number} size bytes
 * @property {number} speed bytes per second, 0 if not known yet
 * @property {number} waiting seconds until the next attempt, 0 while it sends
 */

/**
 * Upload a file. Throws Problem if the service refuses it, and AbortError if it is paused: then call this again.
 *
 * @param {Blob} file
 * @param {string} print identifies the file, to continue after a reload
 * @param {AbortSignal} signal
 * @param {(state: State) => void} onState
 * @returns {Promise<string>} the id of the upload
 */
export async function uploaded(file, print, signal, onState) {
  let part = LEAST_PART;
  let speed = 0;
  let failures = 0;
  let upload = await persistent(() => found(file, print, signal), file.size, signal, onState);
  while (upload.offset < file.size) {
    onState({ sent: upload.offset, size: file.size, speed, waiting: 0 });
    const started = performance.now();
    try {
      const data = file.slice(upload.offset, upload.offset + part);
      const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(upload.offset), "Tus-Resumable": "1.0.0" };
      const answer = await send("PATCH", at("uploads/{}", upload.upload_id), { body: data, headers, signal });
      const seconds = (performance.now() - started) / 1000;
      const now = data.size / Math.max(seconds, 0.001);
      speed = speed ? 0.7 * speed + 0.3 * now : now;
      part = Math.round(Math.min(Math.max(now * PART_S, LEAST_PART), MOST_PART, part * 2));
      upload.offset = Number(answer.headers.get("Upload-Offset"));
      failures = 0;
    } catch (error) {
      if (!isPassing(error)) throw error;
      part = LEAST_PART;
      await pause(failures++, { sent: upload.offset, size: file.size, speed: 0, waiting: 0 }, signal, onState);
      upload = await persistent(() => found(file, print, signal), file.size, signal, onState);
    }
  }
  onState({ sent: file.size, size: file.size, speed, waiting: 0 });
  return upload.upload_id;
}

/** Forget the upload: a job has taken it. */
export const forgetUpload = () => sessionStorage.removeItem(STORED);

/** Delete the upload on the service. */
export async function discardUpload() {
  const { id } = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
  forgetUpload();
  if (id) await send("DELETE", at("uploads/{}", id)).catch(() => {}); // otherwise it expires
}

/** The earlier upload of this file, or a new one. */
async function found(/** @type {Blob} */ file, /** @type {string} */ print, /** @type {AbortSignal} */ signal) {
  const kept = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
  if (kept.id && kept.print === print) {
    try {
      return await (await send("GET", at("uploads/{}", kept.id), { signal })).json();
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "upload_unknown") throw error;
    }
  } else if (kept.id) {
    await discardUpload();
  }
  const made = await (await send("POST", "uploads", { signal, headers: { "Upload-Length": String(file.size), "Tus-Resumable": "1.0.0" } })).json();
  sessionStorage.setItem(STORED, JSON.stringify({ id: made.upload_id, print }));
  return made;
}

/**
 * @template Result
 * @param {() => Promise<Result>} work
 * @param {number} size
 * @param {AbortSignal} signal
 * @param {(state: State) => void} onState
 */
async function persistent(work, size, signal, onState) {
  for (let failures = 0; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || /** @type {Problem} */ (error).code === "overloaded") throw error; // too many uploads: waiting takes hours
      await pause(failures, { sent: -1, size, speed: 0, waiting: 0 }, signal, onState);
    }
  }
}

const isPassing = (/** @type {unknown} */ error) => error instanceof Problem && (error.isPassing || MOVED.includes(error.code));

/** Wait, longer after each failure; not if the connection is back before. */
async function pause(/** @type {number} */ failures, /** @type {State} */ state, /** @type {AbortSignal} */ signal, /** @type {(state: State) => void} */ onState) {
  const wait = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS);
  onState({ ...state, waiting: Math.ceil(wait / 1000) });
  await new Promise((resolve) => {
    setTimeout(resolve, wait);
    addEventListener("online", resolve, { once: true });
    signal.addEventListener("abort", resolve, { once: true });
  });
  signal.throwIfAborted();
}
