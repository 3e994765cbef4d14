import { path } from "./bodies.js";
import type { Http } from "./http.js";
import { items } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

/** Model migration of a collection; `jobs.reembed` starts it. */
export class Reembedding {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Return the networks that the faces have templates of, and one page of the faces without a crop. */
  show(options: options.MigrationOptions = {}): Promise<schema.OverviewSchema> {
    const { signal, timeoutMs, collection, ...query } = options;
    return this.#http.json("GET", pathOf(collection), { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all faces without a crop. */
  iterateWithoutCrop(
    options: options.MigrationOptions = {},
  ): AsyncGenerator<schema.OverviewSchema["without_crop"][number], void, undefined> {
    return items((cursor) => this.show({ ...options, cursor }), (page) => page.without_crop);
  }

  /** Switch atomically to a network that all faces have a template of. */
  switch(model: string, options: options.OnMissingOptions = {}): Promise<schema.SwitchedSchema> {
    const { signal, timeoutMs, collection, ...fields } = options;
    const call = { body: { json: { model, ...fields } }, signal, timeoutMs };
    return this.#http.json("POST", `${pathOf(collection)}/switch`, call);
  }

  /** Switch atomically back to the previous network. */
  rollBack(options: options.OnMissingOptions = {}): Promise<schema.SwitchedSchema> {
    const { signal, timeoutMs, collection, ...json } = options;
    return this.#http.json("POST", `${pathOf(collection)}/rollback`, { body: { json }, signal, timeoutMs });
  }

  /** Delete the templates of all other networks; after this, no rollback is possible. */
  discard(options: options.InCollection = {}): Promise<schema.DiscardedSchema> {
    const { signal, timeoutMs, collection } = options;
    return this.#http.json("POST", `${pathOf(collection)}/discard`, { signal, timeoutMs });
  }
}

function pathOf(collection = "default"): string {
  return path("/collections/{collection}/reembed", { collection });
}
