import { path } from "./bodies.js";
import { ArcidError } from "./errors.js";
import type { CallOptions, Http } from "./http.js";
import { blobOf } from "./photos.js";
import type { FileInput } from "./photos.js";
import { pause } from "./retries.js";
import type * as schema from "./schema.js";

type Upload = schema.UploadSchema;

/** Options of {@link Uploads.send}. */
export interface SendOptions extends CallOptions {
  /** Continue an earlier upload of the same file. */
  upload_id?: string | undefined;
  /** Size of a part. Default: 8,000,000. */
  partBytes?: number | undefined;
  /** Called with the upload after each part. */
  onProgress?: ((upload: Upload) => void) | undefined;
}

const MOST_FAILURES = 8; // in a row, without a byte in between
const LONGEST_PAUSE_MS = 15_000;
const PASSING = new Set([0, 408, 409, 429]); // 0: no answer arrived

/** Large files, which are sent in parts and continue after a broken connection. */
export class Uploads {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Create an upload for a file of `length` bytes. */
  create(length: number, options: CallOptions = {}): Promise<Upload> {
    return this.#http.json("POST", "/uploads", { ...options, headers: { "Upload-Length": String(length) } });
  }

  /** Return how much of an upload has arrived. */
  get(upload_id: string, options: CallOptions = {}): Promise<Upload> {
    return this.#http.json("GET", pathOf(upload_id), { ...options, isRepeatable: true });
  }

  /** Append bytes at an offset; another offset of the upload is the error `upload_conflict`. */
  append(upload_id: string, part: Blob, offset: number, options: CallOptions = {}): Promise<void> {
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    const call = { ...options, headers, body: { bytes: part } };
    return this.#http.send("PATCH", pathOf(upload_id), call, () => undefined);
  }

  /** Delete an upload that no job has taken. */
  delete(upload_id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.send("DELETE", pathOf(upload_id), options, () => undefined);
  }

  /**
   * Send a file in parts, and return its complete upload for `jobs.importPhotos` and the other imports.
   *
   * Throws a RangeError if the earlier upload has another size, and the last error if several parts in a row fail.
   */
  async send(source: FileInput, options: SendOptions = {}): Promise<Upload> {
    const { upload_id, partBytes = 8_000_000, onProgress, ...call } = options;
    const file = await blobOf(source);
    let upload = upload_id === undefined ? await this.create(file.size, call) : await this.get(upload_id, call);
    if (upload.length !== file.size) throw new RangeError(`the upload has ${upload.length} bytes, not ${file.size}`);
    for (let failures = 0, reached = upload.offset; upload.offset < file.size; ) {
      try {
        if (failures) {
          await pause(Math.min(500 * 2 ** failures, LONGEST_PAUSE_MS), call.signal);
          upload = await this.get(upload.upload_id, call);
        }
        const end = Math.min(upload.offset + partBytes, file.size);
        await this.append(upload.upload_id, file.slice(upload.offset, end), upload.offset, call);
        upload = { ...upload, offset: end };
      } catch (error) {
        failures += 1;
        if (failures > MOST_FAILURES || !isPassing(error)) throw error;
      }
      if (upload.offset > reached) {
        [reached, failures] = [upload.offset, 0];
        onProgress?.(upload);
      }
    }
    return upload;
  }
}

/** Return whether a part may be sent again: the connection broke, or the service is busy, stops or moved on. */
function isPassing(error: unknown): boolean {
  return error instanceof ArcidError && (PASSING.has(error.status) || error.status >= 500);
}

function pathOf(upload_id: string): string {
  return path("/uploads/{upload_id}", { upload_id });
}
