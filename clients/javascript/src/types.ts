import type { PhotoInput } from "./photos.js";
import type { CallOptions } from "./http.js";
import type * as schema from "./schema.js";

type Query<Name extends keyof schema.operations> = NonNullable<schema.operations[Name]["parameters"]["query"]>;
/** Fields of a request, which may be undefined; times may be a `Date`. */
type Loose<Fields> = {
  [Name in keyof Fields]: Fields[Name] | (Name extends Times ? Date : never) | undefined;
};
type Times = "expires_at" | "since" | "until";
type Options<Fields> = Loose<Fields> & CallOptions;

/** The collection of a call; `default` if missing. */
export interface InCollection extends CallOptions {
  collection?: string | undefined;
}
/** A value with its version, for changes that must not overwrite others. */
export type Versioned<Value> = Value & { etag: string };

export type EnrollOptions = Options<Omit<schema.EnrollRequestForm, "photos" | "photo_urls">> & {
  /** Key of this enrollment. Default: a new one for each call, so that its retries enroll once. */
  idempotencyKey?: string | undefined;
};
export type VerifyOptions = Options<
  Omit<schema.VerifyRequestForm, "probe" | "probe_url" | "reference" | "reference_url">
> & {
  /** Photo to compare with; leave it out with `identity_id`. */
  reference?: PhotoInput | undefined;
};
export type IdentifyOptions = Options<Omit<schema.IdentifyRequestForm, "photo" | "photo_url">>;
export type DetectOptions = Options<Omit<schema.DetectRequestForm, "photo" | "photo_url">>;
export type EmbedOptions = Options<Omit<schema.EmbedRequestForm, "photo" | "photo_url">>;
export type SearchOptions = Options<Partial<Omit<schema.SearchRequest, "embedding">>>;

export type CollectionSettings = Options<Partial<Omit<schema.CollectionRequest, "name">>>;
export type CollectionChanges = Options<Partial<schema.CollectionChange>> & Etag;
export type IdentityChanges = Options<Partial<schema.IdentityChange>> & Etag & InCollection;
export type NewOwner = Options<Omit<Partial<schema.MoveFacesRequest>, "face_ids" | "identity_id">> & InCollection;
interface Etag {
  /** Change only this version; another one is the error `precondition_failed`. */
  etag?: string | undefined;
}

export type NewKeyOptions = Options<Omit<schema.KeyRequest, "name">>;
export type KeysOptions = Options<Query<"listKeys">>;
export type AuditOptions = Options<Query<"listAudit">>;
export type AuditExportOptions = Options<Query<"exportAudit">>;
export type AuditVerifyOptions = Options<Query<"verifyAudit">>;
export type StatisticsOptions = Options<Query<"getStatistics">>;

export type EventsOptions = Options<Query<"listEvents">>;
export type EventStreamOptions = Options<Query<"streamEvents">>;
export type RulesOptions = Options<Query<"listRules">>;
export type RuleOptions = Options<Omit<Partial<schema.RuleRequest>, "name">>;
export type RuleChanges = Options<Partial<schema.RuleChange>>;

export type PageOptions = Options<Query<"listCollections">>;
export type IdentitiesOptions = Options<Query<"listIdentities">> & InCollection;
export type FacesOptions = Options<Query<"listFaces">> & InCollection;
export type JobsOptions = Options<Query<"listJobs">>;
export type JobErrorsOptions = Options<Query<"listJobErrors">>;
export type HealthOptions = Options<Query<"checkGallery">>;
export type MigrationOptions = Options<Query<"getMigration">> & InCollection;
export type OnMissingOptions = InCollection & { on_missing?: schema.OnMissing | undefined };
export type ReembedOptions = OnMissingOptions & { switch?: boolean | undefined };

export type ImportPhotosOptions = InCollection & {
  face?: schema.FaceChoice | undefined;
  /** Photos are named person.jpg, without folders. */
  flat?: boolean | undefined;
  /** Enroll nobody: keep the faces that match nobody. */
  unknown?: boolean | undefined;
};
export type ImportArchiveOptions = InCollection & {
  /** Give faces new ids: needed to copy a collection within one database. */
  new_face_ids?: boolean | undefined;
};
/** A file or folder on the server, relative to its folder for imports. */
export interface ServerPath {
  serverPath: string;
}
