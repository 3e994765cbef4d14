import { path } from "./bodies.js";
import type { Http } from "./http.js";
import { items } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

type Identity = options.Versioned<schema.IdentitySchema>;

/** Enrolled people. */
export class Identities {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Return one page; `q` has beginnings of words of a name or id. */
  list(options: options.IdentitiesOptions = {}): Promise<schema.IdentitiesPage> {
    const { signal, timeoutMs, collection = "default", ...query } = options;
    const listed = path("/collections/{collection}/identities", { collection });
    return this.#http.json("GET", listed, { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all people. */
  iterate(options: options.IdentitiesOptions = {}): AsyncGenerator<schema.IdentitySchema, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.identities);
  }

  /** Return a person with the first of their faces. */
  get(identity_id: string, options: options.InCollection = {}): Promise<options.Versioned<schema.IdentityAnswer>> {
    return this.#http.json("GET", pathOf(identity_id, options), { ...callOf(options), isRepeatable: true });
  }

  /** Change name, metadata, consent or expiry; null removes a value. */
  patch(identity_id: string, changes: options.IdentityChanges): Promise<Identity> {
    const { signal, timeoutMs, collection, etag, ...json } = changes;
    const versioned = etag === undefined ? { isRepeatable: true } : { headers: { "If-Match": etag } };
    const call = { ...versioned, body: { json }, signal, timeoutMs };
    return this.#http.json("PATCH", pathOf(identity_id, { collection }), call);
  }

  /** Erase a person. The call is not repeated if its answer is lost, because there would be no receipt. */
  delete(identity_id: string, options: options.InCollection = {}): Promise<schema.ErasureReceipt> {
    return this.#http.json("DELETE", pathOf(identity_id, options), callOf(options));
  }

  /** Move all faces of a person to another one, delete the first, and return the second. */
  merge(identity_id: string, into: string, options: options.InCollection = {}): Promise<Identity> {
    const call = { ...callOf(options), body: { json: { into } } };
    return this.#http.json("POST", `${pathOf(identity_id, options)}/merge`, call);
  }

  /** Return all stored data about a person, including embeddings. */
  export(identity_id: string, options: options.InCollection = {}): Promise<schema.PersonExport> {
    return this.#http.json("GET", `${pathOf(identity_id, options)}/export`, { ...callOf(options), isRepeatable: true });
  }
}

function pathOf(identity_id: string, { collection = "default" }: options.InCollection): string {
  return path("/collections/{collection}/identities/{identity_id}", { collection, identity_id });
}

function callOf({ signal, timeoutMs }: options.InCollection): options.InCollection {
  return { signal, timeoutMs };
}
