// node node.mjs SERVER PORT KEY, in the folder of the photos' paths; prints all answers as JSON on its last line.

import { readFileSync } from "node:fs";
import { CompreFace } from "@exadel/compreface-js-sdk";
import { tour } from "./tour.mjs";

const [server, port, key] = process.argv.slice(2);
const [ada, adaToo, bob, faceless] = ["ada", "ada-too", "bob", "faceless"].map((name) => `./photos/${name}.jpg`);
const base64 = readFileSync(ada).toString("base64");
console.log(JSON.stringify(await tour(CompreFace, { server, port, key, ada, adaToo, bob, faceless, base64 })));
