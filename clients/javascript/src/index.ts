/** Client of an ArcID face-recognition service, for Node and browsers. */
export { ArcidClient } from "./client.js";
export { ArcidError, JobError } from "./errors.js";
export type { Audit } from "./audit.js";
export type { Backups } from "./backups.js";
export type { Collections } from "./collections.js";
export type { ErrorDetails } from "./errors.js";
export type { Faces } from "./faces.js";
export type { CallOptions, ClientOptions } from "./http.js";
export type { Identities } from "./identities.js";
export type { Jobs, WaitOptions } from "./jobs.js";
export type { Keys } from "./keys.js";
export type { AnswerOptions, ChallengeFrame, Liveness } from "./liveness.js";
export type * from "./photos.js";
export type { Reembedding } from "./reembedding.js";
export type * from "./schema.js";
export type * from "./types.js";
export type { SendOptions, Uploads } from "./uploads.js";
