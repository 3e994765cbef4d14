// Call every method with samples, and print the method and path of each request; ids are "x".
import { ArcidClient } from "arcid-client";

const sent = [];
const fetch = async (url, { method }) => {
  const { pathname } = new URL(url);
  sent.push([method, pathname.replace("/v1", "")]);
  return Response.json({ code: "not_here", detail: "" }, { status: 404 });
};
const arcid = new ArcidClient("http://localhost", { fetch });
const photo = new Blob(["photo"]);
const inX = { collection: "x" };
const samples = {
  enroll: [photo],
  verify: [photo, { identity_id: "x" }],
  identify: [photo],
  detect: [photo],
  embed: [photo],
  search: [[1]],
  "collections.get": ["x"],
  "collections.patch": ["x", { flip: true }],
  "collections.delete": ["x"],
  "collections.health": ["x"],
  "collections.iterateHealth": ["x"],
  "identities.patch": ["x", { ...inX, name: "x" }],
  "identities.merge": ["x", "x", inX],
  "faces.move": ["x", "x", inX],
  "faces.moveSeveral": [["x"], "x", inX],
  "keys.create": ["x", { scopes: ["enroll"] }],
  "keys.list": [],
  "keys.iterate": [],
  "rules.create": ["x"],
  "rules.patch": ["x", { name: "x" }],
  "events.stream": [],
  "uploads.create": [5],
  "uploads.append": ["x", photo, 0],
  "uploads.send": [photo],
  "jobs.backUp": [],
  "backups.list": [],
  "jobs.importPhotos": [photo],
  "jobs.importArchive": [photo],
  "jobs.importEmbeddings": [photo, "x"],
  "jobs.reembed": ["x", inX],
  "liveness.create": [inX],
  "liveness.answer": [{ challenge_id: "x", nonce: "x", collection: "x" }, [{ photo, at_ms: 0 }]],
  "reembedding.switch": ["x", inX],
};
const ofX = { identities: ["x", inX], faces: ["x", inX], jobs: ["x"], collections: ["x"], reembedding: [inX], keys: ["x"], audit: [], uploads: ["x"], backups: ["x"], events: ["x"], rules: ["x"] };
const ofAll = new Set(["list", "iterate", "me", "show", "iterateWithoutCrop", "rollBack", "discard", "export", "calibrate"]);

const methodsOf = (object) => Object.getOwnPropertyNames(Object.getPrototypeOf(object)).slice(1); // no constructor
for (const [group, object] of [["", arcid], ...Object.entries(arcid)]) {
  for (const name of methodsOf(object)) {
    const isOfAll = ofAll.has(name) && !(group === "identities" && name === "export");
    const given = samples[group ? `${group}.${name}` : name] ?? (group && !isOfAll ? ofX[group] : [inX]);
    const called = object[name](...given);
    const done = Symbol.asyncIterator in called ? called.next() : called;
    await done.then(() => { throw new Error(`${group}.${name} hides an error`); }, (error) => {
      if (error.code !== "not_here") throw error;
    });
  }
}
console.log(JSON.stringify(sent));
