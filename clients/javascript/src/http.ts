import { queryOf } from "./bodies.js";
import type { Body, Fields } from "./bodies.js";
import { ArcidError, errorOf } from "./errors.js";
import { pause, pauseMs } from "./retries.js";
import type { RetryPolicy } from "./retries.js";

/** Options of every call. */
export interface CallOptions {
  /** Aborts the call, with its retries. */
  signal?: AbortSignal | undefined;
  /** Longest time for one attempt; 0 means no limit. Default: that of the client. */
  timeoutMs?: number | undefined;
}

/** Options of a client. */
export interface ClientOptions extends Partial<RetryPolicy> {
  /** API key. Default: in Node, the environment variable ARCID_API_KEY. An empty string sends no key. */
  apiKey?: string | undefined;
  /** Longest time for one attempt; 0 means no limit. Default: 60,000. */
  timeoutMs?: number | undefined;
  /** Replacement for the global `fetch`, for example one that uses a proxy. */
  fetch?: typeof fetch | undefined;
}

/** One request. `accepted` are error statuses that count as answers. */
export interface Call extends CallOptions {
  query?: Fields;
  headers?: Record<string, string>;
  body?: Body;
  isRepeatable?: boolean;
  accepted?: readonly number[];
}

type Read<Answer> = (response: Response) => Promise<Answer> | Answer;

/** Sends calls, with retries. */
export class Http {
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #policy: RetryPolicy;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;

  constructor(address: string | URL, options: ClientOptions) {
    const url = String(address);
    this.#base = new URL(url.includes("://") ? url : `http://${url}`).href.replace(/\/+$/, "");
    const key = options.apiKey ?? keyOfEnvironment();
    this.#headers = key ? { Authorization: `Bearer ${key}` } : {};
    this.#policy = { retries: options.retries ?? 2, longestWaitMs: options.longestWaitMs ?? 30_000 };
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#fetch = options.fetch ?? ((...call) => fetch(...call));
  }

  /** Send a call and return its JSON, with the header `ETag` as `etag`. */
  json<Answer>(method: string, path: string, call: Call = {}): Promise<Answer> {
    return this.send(method, path, call, async (response) => {
      const answer = (await response.json()) as Answer;
      const etag = response.headers.get("ETag");
      return etag === null ? answer : { ...answer, etag };
    });
  }

  /**
   * Send a call, with retries, and return what `read` makes of the answer. The timeout includes `read`.
   *
   * Throws an {@link ArcidError}, or the reason of an aborted signal.
   */
  async send<Answer>(method: string, path: string, call: Call, read: Read<Answer>): Promise<Answer> {
    const request = this.#request(method, call);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#once(path, call, request, read);
      } catch (error) {
        if (!(error instanceof ArcidError)) throw error;
        const ms = pauseMs(error, attempt, call.isRepeatable ?? false, this.#policy);
        if (ms === null) throw error;
        await pause(ms, call.signal);
      }
    }
  }

  #request(method: string, call: Call): RequestInit {
    const headers = { ...this.#headers, ...call.headers };
    const request: RequestInit = { method, headers, redirect: "error" }; // another address must not get the key
    if (!call.body) return request;
    if ("form" in call.body) return { ...request, body: call.body.form };
    if ("bytes" in call.body) return { ...request, body: call.body.bytes };
    headers["Content-Type"] = "application/json";
    return { ...request, body: JSON.stringify(call.body.json) };
  }

  async #once<Answer>(path: string, call: Call, request: RequestInit, read: Read<Answer>): Promise<Answer> {
    const limit = new AbortController();
    const ms = call.timeoutMs ?? this.#timeoutMs;
    const timer = ms ? setTimeout(() => limit.abort(), ms) : undefined;
    const signal = call.signal ? AbortSignal.any([call.signal, limit.signal]) : limit.signal;
    try {
      const response = await this.#fetch(`${this.#base}/v1${path}${queryOf(call.query ?? {})}`, { ...request, signal });
      if (!response.ok && !call.accepted?.includes(response.status)) throw errorOf(response, await response.text());
      return await read(response);
    } catch (cause) {
      if (cause instanceof ArcidError || call.signal?.aborted) throw cause;
      const what = `${request.method} ${path}`;
      if (limit.signal.aborted) {
        throw new ArcidError({ code: "timed_out", detail: `${what}: no answer in ${ms} ms`, cause });
      }
      throw failureOf(cause, what);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Return the body of an answer. */
export function streamOf(response: Response): ReadableStream<Uint8Array> {
  return response.body ?? new Blob().stream();
}

/** Return the error of an answer that did not arrive, or that is not JSON. */
export function failureOf(cause: unknown, what: string): ArcidError {
  if (cause instanceof SyntaxError) return new ArcidError({ code: "answer_unreadable", detail: what, cause });
  return new ArcidError({ code: "connection_failed", detail: `${what}: ${reasonOf(cause)}`, cause });
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } };
  return [message ?? String(error), cause?.message || cause?.code].filter(Boolean).join(": ");
}

function keyOfEnvironment(): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.["ARCID_API_KEY"];
}
