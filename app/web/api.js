/** Client of the service's API. Addresses are relative, so that the page works below a proxy's prefix. */

import { t } from "./i18n.js";
import { key } from "./session.js";

/** An error of the service (RFC 9457), or a lost connection in the same form. */
export class Problem extends Error {
  /** @param {{title?: string, detail?: string, code?: string, status?: number, retryAfter?: number | null, [member: string]: any}} members */
  constructor(members) {
    super(members.detail ?? "");
    this.title = members.title ?? t("problems.pageFailed");
    this.detail = members.detail ?? "";
    this.code = members.code ?? "unknown";
    this.status = members.status ?? 0;
    this.requestId = members.request_id ?? null;
    this.retryAfter = members.retryAfter ?? null;
    this.members = members;
  }

  /** Whether the same request may succeed later. */
  get isPassing() {
    return this.status === 0 ? this.code === "unreachable" : [408, 429, 502, 503, 504].includes(this.status);
  }
}

/** @type {(problem: Problem) => Promise<boolean>} */
let askForKey = async () => false;

/** @param {(problem: Problem) => Promise<boolean>} ask requests another key; true: the user gave one */
export function whenRefused(ask) {
  askForKey = ask;
}

/**
 * @typedef {object} Options
 * @property {Record<string, string | number | null>} [query]
 * @property {object | null} [json]
 * @property {FormData} [form]
 * @property {Blob} [body] sent as it is
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [isKeptAlive] complete the request even if the page is left
 * @property {string} [secret] a key to try, in place of the one in use
 */

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>} the answer's JSON, or null without a body; throws Problem
 */
export async function call(method, path, options = {}) {
  const answer = await send(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>} a successful answer; throws Problem
 */
export async function send(method, path, options = {}) {
  for (;;) {
    const sent = options.secret ?? key();
    const answer = await fetched(method, path, options, sent);
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    // Another request may have obtained a new key in the meantime.
    if (answer.status !== 401 || options.secret || !(key() !== sent || (await askForKey(problem)))) throw problem;
  }
}

async function fetched(method, path, { query = {}, json, form, body, signal, headers = {}, isKeptAlive = false }, secret) {
  const address = new URL(path.replace(/^\//, ""), document.baseURI);
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== "") address.searchParams.set(name, String(value));
  const sent = { ...headers };
  if (secret) sent.Authorization = `Bearer ${secret}`;
  if (json) sent["Content-Type"] = "application/json";
  try {
    return await fetch(address, { method, headers: sent, body: json ? JSON.stringify(json) : (body ?? form), signal, keepalive: isKeptAlive, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ title: t("problems.noConnection"), detail: t("problems.noAnswer"), code: "unreachable" });
  }
}

async function problemOf(answer) {
  const retryAfter = Number(answer.headers.get("Retry-After")) || null;
  const about = { title: answer.statusText || t("problems.status", { status: String(answer.status) }), code: `http_${answer.status}`, status: answer.status, retryAfter };
  try {
    return new Problem({ ...about, ...(await answer.json()), status: answer.status });
  } catch {
    return new Problem(about);
  }
}

/**
 * @param {string} path as `collections/{}/faces`
 * @param {...string} parts values for the `{}` in the path
 */
export const at = (path, ...parts) => parts.reduce((made, part) => made.replace("{}", () => encodeURIComponent(part)), path);

/** @returns {string} a new idempotency key for each write, so that a repeated write has no second effect */
export const idempotencyKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, "0")).join("");
