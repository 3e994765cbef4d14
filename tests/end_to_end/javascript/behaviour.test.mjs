// Retries, errors, timeouts and encodings, against a replaced `fetch`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArcidClient, ArcidError, JobError } from "arcid-client";

const photo = new Blob(["photo"]);
const problem = (status, code, more = {}, headers = {}) =>
  Response.json({ status, code, title: "", type: "about:blank", detail: "why", ...more }, { status, headers });
const refused = Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } });
const lost = Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET" } });

/** A client that gets these answers (or errors), one after another, and the requests that it sends. */
function against(answers, options = {}) {
  const sent = [];
  const fetch = async (url, request) => {
    sent.push({ url: String(url), ...request });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(request) : answer;
  };
  return { sent, arcid: new ArcidClient("http://here/arcid/", { apiKey: "k", fetch, ...options }) };
}
const failed = (work) => work.then(assert.fail, (error) => error);

test("overload is retried after Retry-After, with the same Idempotency-Key", async () => {
  const overloaded = () => problem(503, "overloaded", {}, { "Retry-After": "0.2" });
  const { arcid, sent } = against([overloaded(), overloaded(), Response.json({ faces: [] })]);
  const before = Date.now();
  await arcid.enroll(photo, { name: "Ada" });
  assert.ok(Date.now() - before >= 390);
  const keys = sent.map((each) => each.headers["Idempotency-Key"]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
});

test("a key that the caller stores is sent", async () => {
  const { arcid, sent } = against([Response.json({})]);
  await arcid.enroll(photo, { idempotencyKey: "mine" });
  assert.equal(sent[0].headers["Idempotency-Key"], "mine");
  assert.deepEqual([...sent[0].body.keys()], ["photos"]);
});

test("retries end", async () => {
  const limited = () => problem(429, "rate_limited", {}, { "Retry-After": "0" });
  const { arcid, sent } = against([limited(), limited(), limited()]);
  const error = await failed(arcid.collections.create("staff"));
  assert.deepEqual([error.status, error.code, error.retryAfterMs, sent.length], [429, "rate_limited", 0, 3]);
});

test("a long Retry-After is not waited for", async () => {
  const date = new Date(Date.now() + 90_000).toUTCString();
  const { arcid, sent } = against([problem(503, "overloaded", {}, { "Retry-After": date })]);
  const error = await failed(arcid.models());
  assert.ok(error.retryAfterMs > 80_000);
  assert.equal(sent.length, 1);
});

test("a lost connection is retried only for repeatable calls", async () => {
  const reading = against([lost, Response.json({ models: [] })]);
  await reading.arcid.models();
  assert.equal(reading.sent.length, 2);
  const deleting = against([lost]);
  const error = await failed(deleting.arcid.identities.delete("ada"));
  assert.deepEqual([error.code, error.status, error.cause], ["connection_failed", 0, lost]);
});

test("a request that was not sent is retried always", async () => {
  const { arcid, sent } = against([refused, Response.json({ status: "complete" })]);
  await arcid.identities.delete("ada");
  assert.equal(sent.length, 2);
});

test("a change of a version is not repeated", async () => {
  const { arcid, sent } = against([lost]);
  await failed(arcid.identities.patch("ada", { etag: '"1"', name: null }));
  assert.equal(sent[0].headers["If-Match"], '"1"');
  assert.equal(sent[0].body, '{"name":null}');
});

const never = ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("an attempt ends after its timeout", async () => {
  const { arcid } = against([never], { retries: 0, timeoutMs: 20 });
  assert.equal((await failed(arcid.detect(photo))).code, "timed_out");
});

test("a signal aborts a request, and a pause between two attempts", async () => {
  for (const answers of [[never], [problem(503, "overloaded", {}, { "Retry-After": "20" })]]) {
    const { arcid, sent } = against(answers);
    const error = await failed(arcid.detect(photo, { signal: AbortSignal.timeout(20) }));
    assert.deepEqual([error.name, sent.length], ["TimeoutError", 1]);
  }
});

test("answers of a proxy are errors too", async () => {
  const { arcid } = against([new Response("<h1>Bad gateway</h1>", { status: 502 }), new Response("<html>")]);
  const error = await failed(arcid.models());
  assert.ok(error instanceof ArcidError);
  assert.deepEqual([error.status, error.code, error.detail], [502, "http_error", "<h1>Bad gateway</h1>"]);
  assert.equal((await failed(arcid.models())).code, "answer_unreadable");
});

test("names and ids are encoded, and must not be empty", async () => {
  const { arcid, sent } = against([Response.json({}), Response.json({}), Response.json({})]);
  await arcid.identities.get("a/b c", { collection: ".." });
  assert.equal(sent[0].url, "http://here/arcid/v1/collections/%2E%2E/identities/a%2Fb%20c");
  await arcid.identities.list({ q: "é&", limit: 3, order: undefined });
  assert.equal(sent[1].url, "http://here/arcid/v1/collections/default/identities?q=%C3%A9%26&limit=3");
  assert.throws(() => arcid.jobs.get(""), TypeError);
});

test("photos by URL are JSON, and not mixed with files", async () => {
  const { arcid, sent } = against([Response.json({}), Response.json({}), Response.json({})]);
  await arcid.identify("https://photos.test/1.jpg", { top_k: 2 });
  assert.deepEqual(JSON.parse(sent[0].body), { top_k: 2, photo_url: "https://photos.test/1.jpg" });
  await arcid.enroll([new URL("https://photos.test/1.jpg")]);
  assert.deepEqual(JSON.parse(sent[1].body), { photo_urls: ["https://photos.test/1.jpg"] });
  await arcid.verify(photo, { reference: "https://photos.test/1.jpg" });
  assert.equal(sent[2].body.get("reference_url"), "https://photos.test/1.jpg");
  await assert.rejects(arcid.identify(["https://photos.test/1.jpg", photo]), TypeError);
});

test("file names are not sent", async () => {
  const { arcid, sent } = against([Response.json({})]);
  await arcid.identify(new File(["x"], "Ada Lovelace.jpg"));
  assert.equal(sent[0].body.get("photo").name, "photo");
});

test("an upload continues where it has arrived", async () => {
  const upload = { upload_id: "u", length: 5, offset: 0 };
  const done = () => new Response(null, { status: 204 });
  const answers = [Response.json(upload), done(), lost, Response.json({ ...upload, offset: 3 }), done(), Response.json({})];
  const { arcid, sent } = against(answers, { retries: 0 });
  const seen = [];
  const sentUpload = await arcid.uploads.send(photo, { partBytes: 2, onProgress: ({ offset }) => seen.push(offset) });
  const parts = sent.filter((each) => each.method === "PATCH");
  assert.deepEqual(await Promise.all(parts.map((each) => each.body.text())), ["ph", "ot", "to"]);
  assert.deepEqual(parts.map((each) => each.headers["Upload-Offset"]), ["0", "2", "3"]);
  assert.deepEqual(seen, [2, 5]);
  await arcid.jobs.importArchive(sentUpload, { new_face_ids: true });
  assert.deepEqual(JSON.parse(sent.at(-1).body), { kind: "import_archive", new_face_ids: true, upload: "u" });
});

test("an upload that is refused is not sent again", async () => {
  const { arcid, sent } = against([Response.json({ upload_id: "u", length: 5, offset: 0 }), problem(404, "upload_unknown")]);
  assert.equal((await failed(arcid.uploads.send(photo))).code, "upload_unknown");
  assert.equal(sent.length, 2);
});

test("events are read in parts", async () => {
  const parts = ["event: job\r\nda", 'ta: {"done":1}\r\n\r', '\n: still here\n\ndata: {"done":2}\n\n'];
  const { arcid } = against([new Response(ReadableStream.from(parts.map((each) => new TextEncoder().encode(each))))]);
  const seen = [];
  for await (const job of arcid.jobs.events("j")) seen.push(job.done);
  assert.deepEqual(seen, [1, 2]);
});

test("a stream that breaks is a failed connection", async () => {
  const broken = new ReadableStream({ start: (controller) => controller.error(lost) });
  const { arcid } = against([new Response(broken)]);
  assert.equal((await failed(arcid.jobs.events("j").next())).code, "connection_failed");
});

test("a job that fails or takes long is an error with the job", async () => {
  const job = { job_id: "j", state: "failed", finished_at: "now", failure: { code: "broken", detail: "why" } };
  const { arcid } = against([Response.json(job), Response.json({ ...job, state: "running", finished_at: null })]);
  const error = await failed(arcid.jobs.wait("j"));
  assert.ok(error instanceof JobError);
  assert.equal(error.message, "job_failed: job j is failed: why (broken)");
  assert.equal((await failed(arcid.jobs.wait("j", { longestMs: 10 }))).code, "wait_timed_out");
});
