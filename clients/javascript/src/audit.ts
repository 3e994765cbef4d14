import { streamOf } from "./http.js";
import type { Http } from "./http.js";
import { items } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

/** The audit trail. */
export class Audit {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Return one page of lines, newest first. */
  list(options: options.AuditOptions = {}): Promise<schema.AuditPageSchema> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/audit", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all lines. */
  iterate(options: options.AuditOptions = {}): AsyncGenerator<schema.AuditEntrySchema, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.lines);
  }

  /** Return lines as a stream of bytes, one JSON object per line; the timeout ends when it starts. */
  export(options: options.AuditExportOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.send("GET", "/audit/export", { query, isRepeatable: true, signal, timeoutMs }, streamOf);
  }

  /** Check that no line was changed or removed; with the `anchor` of an earlier report, also against that one. */
  verify(options: options.AuditVerifyOptions = {}): Promise<schema.TrailReportSchema> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/audit/verification", { query, isRepeatable: true, signal, timeoutMs });
  }
}
