import { path } from "./bodies.js";
import { streamOf } from "./http.js";
import type { CallOptions, Http } from "./http.js";
import type * as schema from "./schema.js";

/** Backups of the embedded database; `jobs.backUp` writes one. */
export class Backups {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the backups, newest first. */
  list(options: CallOptions = {}): Promise<schema.BackupsSchema> {
    return this.#http.json("GET", "/backups", { ...options, isRepeatable: true });
  }

  /** Return a backup as a stream of bytes; the timeout ends when it starts. */
  download(name: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.send("GET", pathOf(name), { ...options, isRepeatable: true }, streamOf);
  }

  /** Delete a backup. */
  delete(name: string, options: CallOptions = {}): Promise<void> {
    return this.#http.send("DELETE", pathOf(name), options, () => undefined);
  }
}

function pathOf(name: string): string {
  return path("/backups/{name}", { name });
}
