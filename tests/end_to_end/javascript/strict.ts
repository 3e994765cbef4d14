// A strict project compiles this; each comment "@ts-expect-error" is a mistake that the types must find.
import { ArcidClient, ArcidError, JobError } from "arcid-client";
import type { ClientOptions, IdentifyAnswer, JobSchema, PhotoInput } from "arcid-client";

export async function visitors(photo: PhotoInput, collection?: string): Promise<string[]> {
  const options: ClientOptions = { apiKey: undefined, retries: 0 };
  const arcid = new ArcidClient(new URL("http://localhost:8000"), options);
  const answer: IdentifyAnswer = await arcid.identify(photo, { collection, top_k: 3, where: { site: "Oslo", badge: 7 } });
  const names = answer.faces.map((face) => face.candidates[0]?.name ?? face.verdict);
  for await (const person of arcid.identities.iterate({ q: "ada", order: "newest" })) names.push(person.identity_id);
  const { etag } = await arcid.identities.get("ada");
  await arcid.identities.patch("ada", { etag, name: null, expires_at: new Date() });
  await arcid.enroll([photo, new Uint8Array(3)], { metadata: { any: [1] }, consent: { basis: "contract", given_at: "2027-01-31T00:00:00Z" } });
  const job: JobSchema = await arcid.jobs.importPhotos({ serverPath: "staff" }, { face: "largest", signal: AbortSignal.timeout(1) });
  await arcid.jobs.wait(job.job_id, { onProgress: ({ done, total }) => console.log(done, total) });

  // @ts-expect-error - no such field
  await arcid.identify(photo, { topk: 3 });
  // @ts-expect-error - no such value
  await arcid.enroll(photo, { on_duplicate: "ignore" });
  // @ts-expect-error - nobody to compare with
  await arcid.verify(photo);
  // @ts-expect-error - not a photo
  await arcid.detect(3);
  // @ts-expect-error - may be missing
  answer.faces[0].candidates;
  return names;
}

export function advice(error: unknown): string {
  if (error instanceof JobError) return error.job.state;
  if (!(error instanceof ArcidError)) throw error;
  const delay: number | null = error.retryAfterMs;
  return [error.code, error.status, delay, ...error.rejected.map((photo) => `${photo.photo}: ${photo.detail}`)].join();
}
