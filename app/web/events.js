/** Server-sent events by fetch, because EventSource cannot send a key in a header. */

import { send } from "./api.js";

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {{query?: Record<string, string>, onOpen?: () => void}} [options] `onOpen` is called when the stream starts
 * @returns {AsyncGenerator<{event: string, data: any}>} until the service ends the stream; throws Problem
 */
export async function* events(path, signal, { query = {}, onOpen = () => {} } = {}) {
  const answer = await send("GET", path, { signal, query, headers: { Accept: "text/event-stream" } });
  onOpen();
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += value;
    const blocks = waiting.replaceAll("\r\n", "\n").split("\n\n");
    waiting = blocks.pop() ?? "";
    for (const block of blocks) {
      const read = parse(block);
      if (read) yield read;
    }
  }
}

/** @param {string} block lines before an empty line */
function parse(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, name, value] = line.match(/^([a-z]+): ?(.*)$/) ?? [];
    if (name === "event") event = value;
    if (name === "data") data.push(value);
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
