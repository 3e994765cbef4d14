// node upload.mjs FILE ENDPOINT KEY CHUNK: upload a file with tus-js-client as it comes; print its address and errors.

import { createReadStream, statSync } from "node:fs";
import { Upload } from "tus-js-client";

const [path, endpoint, key, chunk] = process.argv.slice(2);
const chunkSize = Number(chunk) || Infinity;
const failures = [];
const upload = new Upload(createReadStream(path), {
  endpoint,
  chunkSize,
  uploadSize: statSync(path).size,
  headers: { Authorization: `Bearer ${key}` },
  metadata: { filename: "staff.zip" },
  retryDelays: [0, 50, 100, 200, 400, 800],
  uploadDataDuringCreation: chunkSize !== Infinity,
  onShouldRetry: (error) => failures.push(String(error).slice(0, 80)) > 0,
  onError: (error) => {
    throw error;
  },
  onSuccess: () => console.log(JSON.stringify({ url: upload.url, failures })),
});
upload.start();
