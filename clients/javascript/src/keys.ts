import { path } from "./bodies.js";
import type { CallOptions, Http } from "./http.js";
import { items } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

/** API keys. */
export class Keys {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Create a key. The answer has its secret, which is never shown again. */
  create(name: string, options: options.NewKeyOptions): Promise<schema.CreatedKeySchema> {
    const { signal, timeoutMs, ...fields } = options;
    return this.#http.json("POST", "/keys", { body: { json: { name, ...fields } }, signal, timeoutMs });
  }

  /** Return one page, oldest first. */
  list(options: options.KeysOptions = {}): Promise<schema.KeysPage> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/keys", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all keys. */
  iterate(options: options.KeysOptions = {}): AsyncGenerator<schema.KeySchema, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.keys);
  }

  get(key_id: string, options: CallOptions = {}): Promise<schema.KeySchema> {
    return this.#http.json("GET", path("/keys/{key_id}", { key_id }), { ...options, isRepeatable: true });
  }

  /** Revoke a key for good. */
  revoke(key_id: string, options: CallOptions = {}): Promise<schema.KeySchema> {
    return this.#http.json("DELETE", path("/keys/{key_id}", { key_id }), options);
  }
}
