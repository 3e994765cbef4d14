import { path } from "./bodies.js";
import { eventsOf } from "./events.js";
import { failureOf, streamOf } from "./http.js";
import type { CallOptions, Http } from "./http.js";
import { items } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

/** Sightings and other events. */
export class Events {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Return one page. */
  list(options: options.EventsOptions = {}): Promise<schema.EventsPage> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/events", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all events. */
  iterate(options: options.EventsOptions = {}): AsyncGenerator<schema.EventSchema, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.events);
  }

  /** Follow the events after a position, or from now on. The stream ends if the service stops: call it again. */
  async *stream(options: options.EventStreamOptions = {}): AsyncGenerator<schema.EventSchema, void, undefined> {
    const { signal, timeoutMs, ...query } = options;
    const call = { query, isRepeatable: true, signal, timeoutMs };
    const stream = await this.#http.send("GET", "/events/stream", call, streamOf);
    try {
      yield* eventsOf<schema.EventSchema>(stream);
    } catch (cause) {
      throw signal?.aborted ? cause : failureOf(cause, "events");
    }
  }

  /** Return the image of a sighting, a JPEG. */
  image(event_id: string, options: CallOptions = {}): Promise<Blob> {
    const url = path("/events/{event_id}/image", { event_id });
    return this.#http.send("GET", url, { ...options, isRepeatable: true }, (response) => response.blob());
  }
}
