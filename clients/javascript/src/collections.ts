import { path } from "./bodies.js";
import type { CallOptions, Http } from "./http.js";
import { items, pages } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

type Collection = options.Versioned<schema.CollectionSchema>;

/** Isolated galleries. */
export class Collections {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Return one page. */
  list(options: options.PageOptions = {}): Promise<schema.CollectionsPage> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/collections", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all collections. */
  iterate(options: options.PageOptions = {}): AsyncGenerator<schema.CollectionSchema, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.collections);
  }

  /** Create an empty collection. */
  create(name: string, options: options.CollectionSettings = {}): Promise<Collection> {
    const { signal, timeoutMs, ...settings } = options;
    return this.#http.json("POST", "/collections", { body: { json: { name, ...settings } }, signal, timeoutMs });
  }

  get(collection = "default", options: CallOptions = {}): Promise<Collection> {
    return this.#http.json("GET", pathOf(collection), { ...options, isRepeatable: true });
  }

  /** Change the given settings; null, where allowed, restores the default. */
  patch(collection: string, changes: options.CollectionChanges): Promise<Collection> {
    const { signal, timeoutMs, etag, ...json } = changes;
    const versioned = etag === undefined ? { isRepeatable: true } : { headers: { "If-Match": etag } };
    return this.#http.json("PATCH", pathOf(collection), { ...versioned, body: { json }, signal, timeoutMs });
  }

  /** Delete a collection with all its people. */
  delete(collection: string, options: CallOptions = {}): Promise<void> {
    return this.#http.send("DELETE", pathOf(collection), options, () => undefined);
  }

  /** Return one page of the findings of a health check. */
  health(collection = "default", options: options.HealthOptions = {}): Promise<schema.HealthAnswer> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", `${pathOf(collection)}/health`, { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all pages of a health check. */
  iterateHealth(
    collection = "default",
    options: options.HealthOptions = {},
  ): AsyncGenerator<schema.HealthAnswer, void, undefined> {
    return pages((cursor) => this.health(collection, { ...options, cursor }));
  }
}

function pathOf(collection: string): string {
  return path("/collections/{collection}", { collection });
}
