// The client that @hey-api/openapi-ts generates: node with_hey_api.js ADDRESS KEY, in the folder of the photos.

import { openAsBlob } from "node:fs";
import { enroll, getFace, identify } from "./hey";
import { client } from "./hey/client.gen";

const [address, key] = process.argv.slice(2);
client.setConfig({ baseUrl: `${address}/v1`, auth: key });

async function main() {
  const photo = await openAsBlob("ada.jpg");
  const enrolled = await enroll({ body: { photos: [photo], identity_id: "ada", metadata: { badge: 7 } }, throwOnError: true });
  const found = await identify({ body: { photo: [await openAsBlob("ada.jpg")] }, throwOnError: true });
  const face_id = enrolled.data.faces[0]?.face_id ?? "";
  const face = await getFace({ path: { collection: "default", face_id }, throwOnError: true });
  const refused = await enroll({ body: { photos: [await openAsBlob("faceless.jpg")] } });
  const identity = found.data.faces[0]?.candidates[0]?.identity_id;
  console.log(JSON.stringify({ identity, owner: face.data.identity_id, refused: refused.error?.code }));
}

void main();
