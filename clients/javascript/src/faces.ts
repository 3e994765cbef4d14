import { path } from "./bodies.js";
import type { Http } from "./http.js";
import { items } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

/** Enrolled faces. */
export class Faces {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Return one page, of a collection or of one person. */
  list(options: options.FacesOptions = {}): Promise<schema.FacesPage> {
    const { signal, timeoutMs, collection = "default", ...query } = options;
    const listed = path("/collections/{collection}/faces", { collection });
    return this.#http.json("GET", listed, { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all faces, of a collection or of one person. */
  iterate(options: options.FacesOptions = {}): AsyncGenerator<schema.StoredFaceSchema, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.faces);
  }

  /** Return a face; with `embedding: true`, its embedding too, which is biometric data. */
  get(
    face_id: string,
    options: options.InCollection & { embedding?: boolean | undefined } = {},
  ): Promise<schema.StoredFaceSchema> {
    const { signal, timeoutMs, embedding } = options;
    const call = { query: { embedding }, isRepeatable: true, signal, timeoutMs };
    return this.#http.json("GET", pathOf(face_id, options), call);
  }

  /** Return the image of a face, a small JPEG. */
  image(face_id: string, options: options.InCollection = {}): Promise<Blob> {
    const { signal, timeoutMs } = options;
    const call = { isRepeatable: true, signal, timeoutMs };
    return this.#http.send("GET", `${pathOf(face_id, options)}/image`, call, (response) => response.blob());
  }

  /** Delete a face, and its person with the last face. */
  delete(face_id: string, options: options.InCollection = {}): Promise<schema.ErasureReceipt> {
    const { signal, timeoutMs } = options;
    return this.#http.json("DELETE", pathOf(face_id, options), { signal, timeoutMs });
  }

  /** Move a face to another person, who is created if new. A person without faces is deleted. */
  move(face_id: string, identity_id: string, options: options.InCollection = {}): Promise<schema.StoredFaceSchema> {
    const { signal, timeoutMs } = options;
    const call = { body: { json: { identity_id } }, signal, timeoutMs };
    return this.#http.json("POST", `${pathOf(face_id, options)}/move`, call);
  }

  /** Move faces to one person, all or none. This undoes a merge. */
  moveSeveral(
    face_ids: Iterable<string>,
    identity_id: string,
    options: options.NewOwner = {},
  ): Promise<options.Versioned<schema.IdentitySchema>> {
    const { signal, timeoutMs, collection = "default", ...owner } = options;
    const json = { face_ids: [...face_ids], identity_id, ...owner };
    const moved = path("/collections/{collection}/faces/move", { collection });
    return this.#http.json("POST", moved, { body: { json }, signal, timeoutMs });
  }
}

function pathOf(face_id: string, { collection = "default" }: options.InCollection): string {
  return path("/collections/{collection}/faces/{face_id}", { collection, face_id });
}
