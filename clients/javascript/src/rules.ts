import { path } from "./bodies.js";
import type { CallOptions, Http } from "./http.js";
import { items } from "./paging.js";
import type * as schema from "./schema.js";
import type * as options from "./types.js";

/** Rules for sightings. */
export class Rules {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Create a rule; without `event` it makes the event `watchlist.hit` of each match. */
  create(name: string, options: options.RuleOptions = {}): Promise<schema.SightingRuleSchema> {
    const { signal, timeoutMs, ...fields } = options;
    return this.#http.json("POST", "/rules", { body: { json: { name, ...fields } }, signal, timeoutMs });
  }

  /** Return one page, oldest first. */
  list(options: options.RulesOptions = {}): Promise<schema.RulesPage> {
    const { signal, timeoutMs, ...query } = options;
    return this.#http.json("GET", "/rules", { query, isRepeatable: true, signal, timeoutMs });
  }

  /** Iterate over all rules. */
  iterate(options: options.RulesOptions = {}): AsyncGenerator<schema.SightingRuleSchema, void, undefined> {
    return items((cursor) => this.list({ ...options, cursor }), (page) => page.rules);
  }

  get(rule_id: string, options: CallOptions = {}): Promise<schema.SightingRuleSchema> {
    return this.#http.json("GET", pathOf(rule_id), { ...options, isRepeatable: true });
  }

  /** Change the given fields. */
  patch(rule_id: string, changes: options.RuleChanges): Promise<schema.SightingRuleSchema> {
    const { signal, timeoutMs, ...json } = changes;
    return this.#http.json("PATCH", pathOf(rule_id), { body: { json }, isRepeatable: true, signal, timeoutMs });
  }

  delete(rule_id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.send("DELETE", pathOf(rule_id), options, () => undefined);
  }
}

function pathOf(rule_id: string): string {
  return path("/rules/{rule_id}", { rule_id });
}
