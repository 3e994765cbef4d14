/** The liveness challenge in the tab Verify: a person follows prompts in front of the camera. */

import { at, call } from "./api.js";
import { Camera } from "./camera.js";
import { button, byId, make, say } from "./elements.js";
import { t } from "./i18n.js";
import { attempt } from "./problems.js";
import { collection } from "./session.js";

const READY_MS = 2000; // until the first frame, to look into the camera
const DELAYS_MS = [1400, 700, 700]; // before each frame of a prompt: time to read it, to move, and to hold still

/** @typedef {{photo: File, at_ms: number}} Frame */

/** @type {AbortController | null} */
let running = null;

/** Connect the part of the tab. */
export function startChallenge() {
  byId("challenge-start").onclick = () => void attempt(byId("challenge"), check, () => result());
  document.addEventListener("visibilitychange", () => document.hidden && stopChallenge());
}

/** Release the camera, and forget the frames. */
export function stopChallenge() {
  running?.abort();
}

async function check() {
  const mine = (running = new AbortController());
  const video = make("video", { "aria-label": t("camera.view") });
  const prompt = make("p", { class: "verdict" });
  const camera = new Camera(video);
  mine.signal.addEventListener("abort", () => camera.close(), { once: true });
  const view = byId("challenge-view");
  const stop = button(t("camera.close"), stopChallenge, "quiet");
  result();
  byId("challenge-start").hidden = true;
  view.replaceChildren(prompt, video, make("div", { class: "row" }, stop));
  view.hidden = false;
  stop.focus();
  const ask = (/** @type {string} */ text) => {
    prompt.textContent = text;
    say(text);
  };
  try {
    ask(t("challenge.starting"));
    await camera.open();
    const challenge = await call("POST", "liveness/challenges", { json: { collection: collection() }, signal: mine.signal });
    const frames = await follow(challenge, camera, ask, mine.signal);
    camera.close();
    ask(t("challenge.judging"));
    show(await answer(challenge, frames, mine.signal));
  } finally {
    mine.abort();
    const hadFocus = view.contains(document.activeElement);
    view.hidden = true;
    view.replaceChildren();
    byId("challenge-start").hidden = false;
    if (hadFocus) byId("challenge-start").focus();
  }
}

/** @returns {Promise<Frame[]>} a frame before the first prompt, and some of each prompt */
async function follow({ prompts }, camera, ask, signal) {
  const began = performance.now();
  /** @type {Frame[]} */
  const frames = [];
  const take = async (/** @type {number} */ after) => {
    await pause(after, signal);
    frames.push({ at_ms: Math.round(performance.now() - began), photo: await camera.frame() });
  };
  ask(t("challenge.straight"));
  await take(READY_MS);
  for (const [place, each] of prompts.entries()) {
    ask(t("challenge.step", { step: place + 1, steps: prompts.length, prompt: t(`challenge.prompt_${each}`) }));
    for (const delay of DELAYS_MS) await take(delay);
  }
  return frames;
}

async function answer({ challenge_id, nonce, collection: of }, frames, signal) {
  const form = new FormData();
  const taken = [];
  for (const { photo, at_ms } of frames) {
    form.append("frames", photo);
    taken.push({ at_ms, sha256: await sha256Of(photo) });
  }
  form.append("taken", JSON.stringify(taken));
  form.append("nonce", nonce);
  form.append("collection", of);
  return call("POST", at("liveness/challenges/{}/answers", challenge_id), { form, signal });
}

/** @param {any} judged the verdict, its reasons, and whether each prompt was followed */
function show({ verdict, reasons, prompts, passive }) {
  const words = t(`challenge.verdict_${verdict}`);
  const tone = { live: "match", uncertain: "possible", attack: "no_match" }[verdict];
  const steps = prompts.map((each) => {
    const name = t(`challenge.prompt_${each.prompt}`);
    return make("li", {}, each.followed ? t("challenge.followed", { prompt: name }) : t("challenge.notFollowed", { prompt: name }));
  });
  result(
    make("p", { class: `verdict ${tone}` }, words),
    ...reasons.map((each) => make("p", {}, t(`challenge.reason_${each}`))),
    make("ul", {}, ...steps),
    passive ? null : make("p", { class: "hint" }, t("challenge.onlyMovements")),
  );
  say(words);
}

function result(...children) {
  byId("challenge-result").replaceChildren(...children.filter(Boolean));
}

async function sha256Of(photo) {
  const digest = await crypto.subtle.digest("SHA-256", await photo.arrayBuffer());
  return Array.from(new Uint8Array(digest), (each) => each.toString(16).padStart(2, "0")).join("");
}

/** @returns {Promise<void>} throws AbortError if the check is stopped */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    const end = () => (clearTimeout(timer), reject(signal.reason));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
