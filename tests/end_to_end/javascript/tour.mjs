// What users do with the client, the same in Node and in a browser: returns what it saw, as plain JSON.

const reasonOf = async (work) => {
  try {
    await work();
    return null;
  } catch (error) {
    const { name, status, code, requestId, rejected, duplicates, errors, message } = error;
    return { name, status, code, hasId: Boolean(requestId), rejected, duplicates, errors, message };
  }
};

const collected = async (iterable) => {
  const found = [];
  for await (const each of iterable) found.push(each);
  return found;
};

const named = (answer) => answer.faces.map((face) => [face.verdict, face.candidates[0]?.identity_id ?? null]);

export async function tour({ ArcidClient, arcid, ada, adaToo, bob, faceless, zip }) {
  const seen = {};
  seen.ready = (await arcid.readyz()).status;
  seen.models = (await arcid.models()).models.some((each) => each.is_in_use);

  const enrolled = await arcid.enroll([ada, faceless], { identity_id: "ada/1", name: "Ada", metadata: { site: "Oslo" } });
  seen.enrolled = [enrolled.faces.length, enrolled.rejected.map((each) => each.code)];
  await arcid.enroll(bob, { identity_id: "bob", expires_at: new Date(Date.now() + 86_400_000) });
  seen.refused = await reasonOf(() => arcid.enroll(faceless));
  seen.invalid = await reasonOf(() => arcid.identify(ada, { top_k: 0 }));
  seen.unknown = await reasonOf(() => arcid.identities.get("nobody"));
  seen.keyless = await reasonOf(() => new ArcidClient(arcid.address, { apiKey: "wrong" }).collections.list());

  seen.identified = named(await arcid.identify(adaToo, { where: { site: "Oslo" } }));
  seen.many = (await arcid.identify([adaToo, bob], { photos_of: "many" })).answers.map(named);
  seen.verified = [
    (await arcid.verify(adaToo, { identity_id: "ada/1" })).verdict,
    (await arcid.verify(adaToo, { reference: ada })).verdict,
    (await arcid.verify(adaToo, { reference: bob })).verdict,
  ];
  seen.detected = (await arcid.detect(ada, { landmarks: false })).faces.length;
  const { faces, model } = await arcid.embed(ada);
  seen.searched = (await arcid.search(faces[0].embedding, { model })).candidates[0].identity_id;
  const challenge = await arcid.liveness.create();
  const frames = [0.4, 400].map((at_ms) => ({ photo: new Blob([String(Math.random())]), at_ms })); // each counts once
  const judged = await arcid.liveness.answer(challenge, frames);
  seen.judged = [judged.verdict, judged.frames.map((each) => each.code)];
  seen.used = (await reasonOf(() => arcid.liveness.answer(challenge, frames)))?.code;
  seen.calibration = (await arcid.calibration()).points.length > 0;

  const person = await arcid.identities.get("ada/1");
  const renamed = await arcid.identities.patch("ada/1", { etag: person.etag, name: "Ada Lovelace", metadata: null });
  seen.renamed = [renamed.name, renamed.metadata, renamed.etag !== person.etag];
  seen.stale = await reasonOf(() => arcid.identities.patch("ada/1", { etag: person.etag, name: "Bob" }));
  seen.people = (await collected(arcid.identities.iterate({ limit: 1 }))).map((each) => each.identity_id);
  const [face] = await collected(arcid.faces.iterate({ identity_id: "ada/1" }));
  const image = await arcid.faces.image(face.face_id);
  seen.image = [image.type, [...new Uint8Array(await image.slice(0, 2).arrayBuffer())]];
  seen.embedded = (await arcid.faces.get(face.face_id, { embedding: true })).embedding.length;
  seen.moved = (await arcid.faces.moveSeveral([face.face_id], "ada/2", { name: "Ada" })).faces;
  seen.merged = (await arcid.identities.merge("ada/2", "bob")).faces;
  seen.exported = (await arcid.identities.export("bob")).faces.length;

  const settings = await arcid.collections.create("staff", { on_duplicate: "reject", adaptive: false });
  seen.settings = [settings.on_duplicate, (await arcid.collections.patch("staff", { flip: true })).flip];
  const offsets = [];
  const upload = await arcid.uploads.send(zip, { partBytes: 10_000, onProgress: ({ offset }) => offsets.push(offset) });
  seen.parts = [offsets[0], offsets.at(-1) === upload.length, offsets.length === Math.ceil(upload.length / 10_000)];
  const job = await arcid.jobs.importPhotos(upload, { collection: "staff" });
  const states = (await collected(arcid.jobs.events(job.job_id))).map((each) => each.state);
  seen.job = [states.at(-1), (await arcid.jobs.wait(job.job_id)).result.enrolled];
  seen.failures = (await collected(arcid.jobs.iterateErrors(job.job_id))).map((each) => each.code);
  seen.duplicate = await reasonOf(() => arcid.enroll(adaToo, { collection: "staff", identity_id: "other" }));
  const exported = await arcid.jobs.wait((await arcid.jobs.export({ collection: "staff" })).job_id, { everyMs: 100 });
  const archive = await new Response(await arcid.jobs.download(exported.job_id)).arrayBuffer();
  seen.archive = [...new Uint8Array(archive.slice(0, 2))];
  seen.unreadable = await reasonOf(() => arcid.jobs.importPhotos(new Blob(["no archive"])));
  seen.health = (await collected(arcid.collections.iterateHealth("staff"))).length;
  seen.migration = (await arcid.reembedding.show({ collection: "staff" })).faces;

  seen.statistics = (await arcid.statistics({ operation: "identify", bucket: "hour" })).buckets.length;

  seen.receipt = (await arcid.identities.delete("bob")).status;
  await arcid.collections.delete("staff");
  seen.collections = (await collected(arcid.collections.iterate())).map((each) => each.name);

  const key = await arcid.keys.create("visitor", { scopes: ["recognise"], expires_at: new Date(Date.now() + 60_000) });
  const asVisitor = new ArcidClient(arcid.address, { apiKey: key.secret });
  const { scopes } = await asVisitor.me();
  const revoked = await arcid.keys.revoke(key.key_id);
  seen.key = [scopes, (await collected(arcid.keys.iterate())).length > 1, revoked.state, (await arcid.keys.get(key.key_id)).state];

  await arcid.jobs.wait((await arcid.jobs.backUp()).job_id, { everyMs: 100 });
  const [{ name }] = (await arcid.backups.list()).backups;
  const backup = await new Response(await arcid.backups.download(name)).arrayBuffer();
  await arcid.backups.delete(name);
  seen.backup = [[...new Uint8Array(backup.slice(0, 2))], (await arcid.backups.list()).backups.length];
  const [line] = (await arcid.audit.list({ since: new Date(0), limit: 1 })).lines;
  const exportedLine = JSON.parse((await new Response(await arcid.audit.export()).text()).split("\n")[0]);
  seen.audit = [line.action, exportedLine.action, (await arcid.audit.verify()).lines > 0];
  return seen;
}
