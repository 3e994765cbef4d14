import { Audit } from "./audit.js";
import { Backups } from "./backups.js";
import { photoBody } from "./bodies.js";
import { Collections } from "./collections.js";
import { Events } from "./eventlog.js";
import { Faces } from "./faces.js";
import { Http } from "./http.js";
import type { CallOptions, ClientOptions } from "./http.js";
import { Identities } from "./identities.js";
import { Jobs } from "./jobs.js";
import { Keys } from "./keys.js";
import { Liveness } from "./liveness.js";
import type { PhotoInput, PhotosInput } from "./photos.js";
import { Reembedding } from "./reembedding.js";
import { Rules } from "./rules.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";
import { Uploads } from "./uploads.js";

/** Client of one ArcID service. Fields of requests and answers have the names of the API. */
export class ArcidClient {
  readonly collections: Collections;
  readonly identities: Identities;
  readonly faces: Faces;
  readonly uploads: Uploads;
  readonly jobs: Jobs;
  readonly reembedding: Reembedding;
  readonly keys: Keys;
  readonly liveness: Liveness;
  readonly audit: Audit;
  readonly backups: Backups;
  readonly events: Events;
  readonly rules: Rules;
  readonly #http: Http;

  /** @param address Address of the service, with the path prefix if a proxy adds one; `localhost:8000` is http. */
  constructor(address: string | URL = "http://localhost:8000", options: ClientOptions = {}) {
    this.#http = new Http(address, options);
    this.collections = new Collections(this.#http);
    this.identities = new Identities(this.#http);
    this.faces = new Faces(this.#http);
    this.uploads = new Uploads(this.#http);
    this.jobs = new Jobs(this.#http, this.uploads);
    this.reembedding = new Reembedding(this.#http);
    this.keys = new Keys(this.#http);
    this.liveness = new Liveness(this.#http);
    this.audit = new Audit(this.#http);
    this.backups = new Backups(this.#http);
    this.events = new Events(this.#http);
    this.rules = new Rules(this.#http);
  }

  /**
   * Enroll a person with one or more photos; each photo is accepted or refused on its own.
   *
   * If no photo is accepted, the error `nothing_enrolled` has the reasons in `rejected`.
   */
  async enroll(photos: PhotosInput, options: options.EnrollOptions = {}): Promise<schema.EnrollAnswer> {
    const { signal, timeoutMs, idempotencyKey = randomKey(), ...fields } = options;
    const body = await photoBody(fields, { photos });
    const headers = { "Idempotency-Key": idempotencyKey };
    return this.#http.json("POST", "/enroll", { body, headers, isRepeatable: true, signal, timeoutMs });
  }

  /** Compare a probe, or up to 10 photos of one person, with `reference` or with the faces of `identity_id`. */
  verify(probe: PhotosInput, options: options.VerifyOptions): Promise<schema.VerifyAnswer> {
    const { reference, ...others } = options;
    return this.#recognise("/verify", { probe, reference }, others);
  }

  /**
   * Search the people for every face of a photo. A photo without faces is not an error.
   *
   * With `photos_of: "many"`, pass up to 50 photos: `answers` has an entry for each. With `photos_of: "one_person"`,
   * pass up to 10 photos of one person, which are fused.
   */
  identify(photo: PhotosInput, options: options.IdentifyOptions = {}): Promise<schema.IdentifyAnswer> {
    return this.#recognise("/identify", { photo }, options);
  }

  /** Detect the faces of a photo and rate their quality; nothing is stored. `photos_of: "many"` takes up to 50. */
  detect(photo: PhotosInput, options: options.DetectOptions = {}): Promise<schema.DetectAnswer> {
    return this.#recognise("/detect", { photo }, options);
  }

  /** Detect and embed the faces of a photo; nothing is stored. */
  embed(photo: PhotoInput, options: options.EmbedOptions = {}): Promise<schema.EmbedAnswer> {
    return this.#recognise("/embed", { photo }, options);
  }

  /** Search the people for an embedding, like `identify`; `model` is the network that computed it. */
  search(embedding: Iterable<number>, options: options.SearchOptions = {}): Promise<schema.SearchAnswer> {
    const { signal, timeoutMs, ...fields } = options;
    const body = { json: { ...fields, embedding: [...embedding] } };
    return this.#http.json("POST", "/search", { body, isRepeatable: true, signal, timeoutMs });
  }

  /** Return the error rates of thresholds in a collection. */
  calibration(options: options.InCollection = {}): Promise<schema.CalibrationAnswer> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/calibration", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Return the permissions of this client's key. */
  me(options: CallOptions = {}): Promise<schema.CallerSchema> {
    return this.#http.json("GET", "/me", { ...options, isRepeatable: true });
  }

  /** Return counts and percentiles of recognition, in hours or days. */
  statistics(options: options.StatisticsOptions = {}): Promise<schema.StatisticsSchema> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/statistics", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** List the packs of networks with their licences. */
  models(options: CallOptions = {}): Promise<schema.Models> {
    return this.#http.json("GET", "/models", { ...options, isRepeatable: true });
  }

  /** Return whether the process runs. */
  healthz(options: CallOptions = {}): Promise<schema.Health> {
    return this.#http.json("GET", "/healthz", { ...options, isRepeatable: true });
  }

  /** Return whether the service is ready, with all checks. A service that is not ready is not an error. */
  readyz(options: CallOptions = {}): Promise<schema.Readiness> {
    return this.#http.json("GET", "/readyz", { ...options, isRepeatable: true, accepted: [503] });
  }

  async #recognise<Answer>(
    path: string,
    photos: Record<string, PhotosInput | undefined>,
    options: CallOptions,
  ): Promise<Answer> {
    const { signal, timeoutMs, ...fields } = options;
    const body = await photoBody(fields, photos);
    return this.#http.json("POST", path, { body, isRepeatable: true, signal, timeoutMs });
  }
}

/** Return a random key. `crypto.randomUUID` does not exist on pages without https. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(16).padStart(8, "0")).join("");
}
