import { fileBody, path } from "./bodies.js";
import type { Body, Fields } from "./bodies.js";
import { JobError } from "./errors.js";
import { eventsOf } from "./events.js";
import { failureOf, streamOf } from "./http.js";
import type { CallOptions, Http } from "./http.js";
import { items } from "./paging.js";
import { blobOf } from "./photos.js";
import type { FileInput } from "./photos.js";
import { pause } from "./retries.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";
import type { Uploads } from "./uploads.js";

type Job = schema.JobSchema;
/** A file, a path on the server, or a complete upload. */
type Source = FileInput | options.ServerPath | { upload_id: string };

const MOST_AT_ONCE = 32_000_000; // bytes of a file that is sent in one request

/** Options of {@link Jobs.wait}. */
export interface WaitOptions extends CallOptions {
  /** Called with the job whenever it has changed. */
  onProgress?: ((job: Job) => void) | undefined;
  /** Pause between two looks. Default: 1,000. */
  everyMs?: number | undefined;
  /** Longest time to wait for the end of the job. */
  longestMs?: number | undefined;
}

/** Long-running work with progress. */
export class Jobs {
  readonly #http: Http;
  readonly #uploads: Uploads;

  constructor(http: Http, uploads: Uploads) {
    this.#http = http;
    this.#uploads = uploads;
  }

  /**
   * Import photos: a ZIP of person/photo.jpg, or with a CSV, or a file or folder on the server.
   *
   * A large file is sent in parts, which continue after a broken connection.
   */
  importPhotos(source: Source, options: options.ImportPhotosOptions = {}): Promise<Job> {
    return this.#import("import", source, options);
  }

  /** Import an exported archive. */
  importArchive(source: Source, options: options.ImportArchiveOptions = {}): Promise<Job> {
    return this.#import("import_archive", source, options);
  }

  /** Import embeddings, one JSON object a line; `model` is the network that computed them. */
  importEmbeddings(source: Source, model: string, options: options.InCollection = {}): Promise<Job> {
    return this.#import("import_embeddings", source, options, model);
  }

  /** Export a collection to an archive; `download` returns it after the job has ended. */
  export(options: options.InCollection = {}): Promise<Job> {
    return this.#create("export", options);
  }

  /** Calibrate a collection on its own faces. */
  calibrate(options: options.InCollection = {}): Promise<Job> {
    return this.#create("calibrate", options);
  }

  /** Group the new unknown faces of a collection. */
  group(options: options.InCollection = {}): Promise<Job> {
    return this.#create("group", options);
  }

  /** Back up the database, with all collections, to the service's folder of backups. */
  backUp(options: CallOptions = {}): Promise<Job> {
    return this.#create("backup", options);
  }

  /** Embed all faces with another network, from their crops, and switch to it. */
  reembed(model: string, options: options.ReembedOptions = {}): Promise<Job> {
    const { signal, timeoutMs, collection = "default", ...fields } = options;
    const started = path("/collections/{collection}/reembed", { collection });
    return this.#http.json("POST", started, { body: { json: { model, ...fields } }, signal, timeoutMs });
  }

  /** Return one page, oldest first. */
  list(options: options.JobsOptions = {}): Promise<schema.JobsPage> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/jobs", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all jobs. */
  iterate(options: options.JobsOptions = {}): AsyncGenerator<Job, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.jobs);
  }

  get(job_id: string, options: CallOptions = {}): Promise<Job> {
    return this.#http.json("GET", pathOf(job_id), { ...options, isRepeatable: true });
  }

  /** Request the cancellation of a job; finished items are kept. */
  cancel(job_id: string, options: CallOptions = {}): Promise<Job> {
    return this.#http.json("POST", `${pathOf(job_id)}/cancel`, options);
  }

  /** Return one page of the failed items. */
  errors(job_id: string, options: options.JobErrorsOptions = {}): Promise<schema.JobErrorsPage> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", `${pathOf(job_id)}/errors`, { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all failed items. */
  iterateErrors(
    job_id: string,
    options: options.JobErrorsOptions = {},
  ): AsyncGenerator<schema.JobErrorSchema, void, undefined> {
    return items((cursor) => this.errors(job_id, { ...options, cursor }), (page) => page.errors);
  }

  /** Yield the job whenever it changes, until it has ended. The iteration ends early if the service stops. */
  async *events(job_id: string, options: CallOptions = {}): AsyncGenerator<Job, void, undefined> {
    const call = { ...options, isRepeatable: true };
    const stream = await this.#http.send("GET", `${pathOf(job_id)}/events`, call, streamOf);
    try {
      yield* eventsOf<Job>(stream);
    } catch (cause) {
      throw options.signal?.aborted ? cause : failureOf(cause, `events of job ${job_id}`);
    }
  }

  /** Wait until a job has succeeded. Throws a {@link JobError} if it fails, is cancelled or takes too long. */
  async wait(job_id: string, options: WaitOptions = {}): Promise<Job> {
    const { onProgress, everyMs = 1000, longestMs = Infinity, ...call } = options;
    const end = Date.now() + longestMs;
    for (let reported = ""; ; await pause(everyMs, call.signal)) {
      const job = await this.get(job_id, call);
      const state = JSON.stringify(job);
      if (state !== reported) onProgress?.(job);
      reported = state;
      if (job.state === "succeeded") return job;
      if (job.finished_at) throw new JobError("job_failed", job);
      if (Date.now() + everyMs > end) throw new JobError("wait_timed_out", job);
    }
  }

  /** Return the archive of an export as a stream of bytes; the timeout ends when it starts. */
  download(job_id: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.send("GET", `${pathOf(job_id)}/archive`, { ...options, isRepeatable: true }, streamOf);
  }

  async #import(kind: string, source: Source, options: CallOptions, model?: string): Promise<Job> {
    if (typeof source === "object" && "serverPath" in source) {
      return this.#create(kind, options, { model, path: source.serverPath });
    }
    if (typeof source === "object" && "upload_id" in source) {
      return this.#create(kind, options, { model, upload: source.upload_id });
    }
    const file = await blobOf(source);
    if (file.size > MOST_AT_ONCE) {
      const { signal, timeoutMs } = options;
      return this.#import(kind, await this.#uploads.send(file, { signal, timeoutMs }), options, model);
    }
    return this.#create(kind, options, { model }, (fields) => fileBody(fields, file));
  }

  #create(
    kind: string,
    options: CallOptions,
    more: Fields = {},
    bodyOf = (json: Fields): Body => ({ json }),
  ): Promise<Job> {
    const { signal, timeoutMs, ...fields } = options;
    return this.#http.json("POST", "/jobs", { body: bodyOf({ kind, ...fields, ...more }), signal, timeoutMs });
  }
}

function pathOf(job_id: string): string {
  return path("/jobs/{job_id}", { job_id });
}
