import type { DuplicateSchema, FieldErrorSchema, JobSchema, ProblemSchema, RejectedPhotoSchema } from "./schema.js";

/** Details of an {@link ArcidError}. */
export interface ErrorDetails {
  code: string;
  detail: string;
  status?: number;
  requestId?: string | null;
  retryAfterMs?: number | null;
  /** Further members of the service's answer. */
  extra?: Record<string, unknown>;
  cause?: unknown;
}

/**
 * Error of a call.
 *
 * If the service answered, `status` is its HTTP status and `code` is one of its stable codes. Otherwise `status` is 0,
 * and `code` is `connection_failed`, `timed_out`, `answer_unreadable`, `job_failed` or `wait_timed_out`. After
 * `connection_failed` and `timed_out`, a write may still have succeeded.
 */
export class ArcidError extends Error {
  override readonly name: string = "ArcidError";
  readonly status: number;
  readonly code: string;
  /** What went wrong, for people. */
  readonly detail: string;
  /** Id of the request in the service's log. */
  readonly requestId: string | null;
  /** Delay that the service asks for before a retry. */
  readonly retryAfterMs: number | null;
  readonly extra: Record<string, unknown>;

  constructor(details: ErrorDetails) {
    super(sentence(details), { cause: details.cause });
    this.status = details.status ?? 0;
    this.code = details.code;
    this.detail = details.detail;
    this.requestId = details.requestId ?? null;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.extra = details.extra ?? {};
  }

  /** The refused photos with the reasons, for `nothing_enrolled`. */
  get rejected(): RejectedPhotoSchema[] {
    return members<RejectedPhotoSchema>(this.extra, "rejected");
  }

  /** The invalid fields with the reasons, for `request_invalid`. */
  get errors(): FieldErrorSchema[] {
    return members<FieldErrorSchema>(this.extra, "errors");
  }

  /** The people whom the faces resemble, for `duplicate_identity`. */
  get duplicates(): DuplicateSchema[] {
    return members<DuplicateSchema>(this.extra, "duplicates");
  }
}

/** A job that failed, was cancelled, or did not end in time. */
export class JobError extends ArcidError {
  override readonly name = "JobError";

  constructor(code: "job_failed" | "wait_timed_out", readonly job: JobSchema) {
    const reason = job.failure ? `: ${job.failure.detail} (${job.failure.code})` : "";
    super({ code, detail: `job ${job.job_id} is ${job.state}${reason}` });
  }
}

/** Return the error of an answer that is not a success. */
export function errorOf(response: Response, body: string): ArcidError {
  const { status, code, detail, request_id, type, title, ...extra } = problemOf(body);
  return new ArcidError({
    status: response.status,
    code: code ?? "http_error",
    detail: detail || "the answer contains no reason",
    requestId: request_id ?? response.headers.get("X-Request-ID"),
    retryAfterMs: retryAfterMs(response.headers.get("Retry-After")),
    extra,
  });
}

function problemOf(body: string): Partial<ProblemSchema> {
  try {
    const problem: unknown = JSON.parse(body);
    if (typeof problem === "object" && problem !== null) return problem;
  } catch {
    // A proxy may answer with HTML.
  }
  return { detail: body.slice(0, 200).trim() };
}

/** Return the milliseconds of a `Retry-After` header, which contains seconds or a date. */
function retryAfterMs(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\d/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

function sentence({ status, code, detail, extra = {} }: ErrorDetails): string {
  const photos = members<RejectedPhotoSchema>(extra, "rejected").map(
    (each) => `photo ${each.photo}: ${each.detail} (${each.code})`,
  );
  const fields = members<FieldErrorSchema>(extra, "errors").map((each) => `${each.field}: ${each.detail}`);
  return [`${status ? `${status} ` : ""}${code}: ${detail}`, ...photos, ...fields].join("; ");
}

function members<Item>(extra: Record<string, unknown>, name: string): Item[] {
  const found = extra[name];
  return Array.isArray(found) ? found : [];
}
