import { formBody, path } from "./bodies.js";
import type { CallOptions, Http } from "./http.js";
import { blobOf } from "./photos.js";
import type { PhotoInput } from "./photos.js";
import type * as schema from "./schema.js";
import type { InCollection } from "./types.js";

/** A photo of the person, and when it was taken, in milliseconds since the challenge arrived. */
export interface ChallengeFrame {
  photo: PhotoInput;
  at_ms: number;
}

/** Options of {@link Liveness.answer}. */
export interface AnswerOptions extends CallOptions {
  /** Compare a live person with this identity. */
  identity_id?: string | undefined;
}

/** Liveness challenges: a person in front of a camera follows prompts. */
export class Liveness {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Create a challenge. Show its prompts one after another, and take frames of that. */
  create(options: InCollection = {}): Promise<schema.ChallengeSchema> {
    const { signal, timeoutMs, ...json } = options;
    return this.#http.json("POST", "/liveness/challenges", { body: { json }, isRepeatable: true, signal, timeoutMs });
  }

  /**
   * Answer a challenge with 2 to 10 frames, in the order of their times; it can be answered once.
   *
   * The first frame shows the person before the first prompt. Browsers compute the hashes only on pages with https.
   */
  async answer(
    challenge: Pick<schema.ChallengeSchema, "challenge_id" | "nonce" | "collection">,
    frames: Iterable<ChallengeFrame>,
    options: AnswerOptions = {},
  ): Promise<schema.ChallengeVerdictSchema> {
    const { signal, timeoutMs, ...fields } = options;
    const photos: Blob[] = [];
    const taken: schema.TakenFrameSchema[] = [];
    for (const { photo, at_ms } of frames) {
      const blob = await blobOf(photo);
      photos.push(blob);
      taken.push({ at_ms: Math.round(at_ms), sha256: await sha256Of(blob) });
    }
    const { challenge_id, nonce, collection } = challenge;
    const body = formBody({ ...fields, nonce, collection, taken }, { frames: photos });
    const address = path("/liveness/challenges/{challenge_id}/answers", { challenge_id });
    return this.#http.json("POST", address, { body, signal, timeoutMs });
  }
}

async function sha256Of(blob: Blob): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return Array.from(new Uint8Array(digest), (each) => each.toString(16).padStart(2, "0")).join("");
}
