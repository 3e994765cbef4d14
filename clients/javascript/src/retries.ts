import { ArcidError } from "./errors.js";

/** Which failed requests are repeated. */
export interface RetryPolicy {
  /** Maximum number of retries. */
  retries: number;
  /** Longest `Retry-After` to wait for. */
  longestWaitMs: number;
}

/** With these codes, the service did not start the request, so any request may be repeated. */
const NOT_DONE = new Set(["overloaded", "deadline_exceeded", "rates_unavailable"]);
/** With these errors of Node, the request was not sent. */
const NOT_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
const FIRST_PAUSE_MS = 500;

/**
 * Return the pause before the next attempt; null if the request must not be repeated.
 *
 * @param attempt Number of the failed attempt, from 0.
 * @param isRepeatable Whether a second request has the same effect and the same answer.
 */
export function pauseMs(error: ArcidError, attempt: number, isRepeatable: boolean, policy: RetryPolicy): number | null {
  if (attempt >= policy.retries) return null;
  const jitter = 1 + Math.random() / 4; // so that many clients do not retry at the same moment
  if (error.code === "connection_failed" || error.code === "timed_out") {
    return isRepeatable || isNotSent(error.cause) ? FIRST_PAUSE_MS * 2 ** attempt * jitter : null;
  }
  if (error.retryAfterMs === null || error.retryAfterMs > policy.longestWaitMs) return null;
  const isRetryable = error.status === 429 || (error.status === 503 && (isRepeatable || NOT_DONE.has(error.code)));
  return isRetryable ? error.retryAfterMs * jitter : null;
}

function isNotSent(cause: unknown): boolean {
  const { code, cause: inner, errors } = (cause ?? {}) as { code?: string; cause?: unknown; errors?: unknown[] };
  if (code !== undefined && NOT_SENT.has(code)) return true;
  return inner !== undefined ? isNotSent(inner) : (errors?.length ?? 0) > 0 && errors!.every(isNotSent);
}

/** Wait; throws the signal's reason if it is aborted. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
