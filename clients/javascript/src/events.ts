/** Yield the data of server-sent events, parsed as JSON. */
export async function* eventsOf<Data>(stream: ReadableStream<Uint8Array>): AsyncGenerator<Data, void, undefined> {
  const reader = stream.getReader(); // Safari cannot iterate over streams
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true }).replaceAll("\r", "");
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:"));
        if (data.length) yield JSON.parse(data.map((line) => line.slice(5)).join("\n")) as Data;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // the connection may have failed
  }
}
