// openapi-fetch with the types of openapi-typescript: node with_openapi_fetch.js ADDRESS KEY, in the photos' folder.

import { openAsBlob } from "node:fs";
import createClient from "openapi-fetch";
import type { paths } from "./types";

const [address, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: `${address}/v1`, headers: { Authorization: `Bearer ${key}` } });

// openapi-typescript gives files the type `string`.
const file = async (name: string) => (await openAsBlob(name)) as unknown as string;

function form(fields: object): FormData {
  const sent = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of Array.isArray(value) ? value : [value]) sent.append(name, each);
  }
  return sent;
}

async function main() {
  const { data: enrolled } = await client.POST("/enroll", {
    body: { photos: [await file("ada.jpg")], identity_id: "ada" },
    bodySerializer: form,
  });
  const { data: found } = await client.POST("/identify", {
    body: { photo: [await file("ada.jpg")] },
    bodySerializer: form,
  });
  const face_id = enrolled?.faces[0]?.face_id ?? "";
  const { data: face } = await client.GET("/collections/{collection}/faces/{face_id}", {
    params: { path: { collection: "default", face_id } },
  });
  const { error } = await client.POST("/enroll", {
    body: { photos: [await file("faceless.jpg")] },
    bodySerializer: form,
  });
  const identity = found?.faces[0]?.candidates[0]?.identity_id;
  console.log(JSON.stringify({ identity, owner: face?.identity_id, refused: error?.code }));
}

void main();
