// The tour in Node, with photos in each form that Node has: node in_node.mjs ADDRESS KEY, in the folder of the photos.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { ArcidClient } from "arcid-client";
import { tour } from "./tour.mjs";

const [address, key] = process.argv.slice(2);
process.env.ARCID_API_KEY = key;
const arcid = new ArcidClient(address.replace("http://", "")); // without a scheme, it is http
arcid.address = address;
const photos = {
  ada: "ada.jpg",
  adaToo: await readFile("ada-too.jpg"), // a Buffer
  bob: new Uint8Array(await readFile("bob.jpg")).buffer,
  faceless: pathToFileURL("faceless.png"),
  zip: "staff.zip",
};
const seen = await tour({ ArcidClient, arcid, ...photos });
const missing = await arcid.detect("missing.jpg").catch((error) => error.code ?? error.name);
console.log(JSON.stringify({ ...seen, missing }));
