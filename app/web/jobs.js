/** The tab Jobs: jobs and their progress. */

import { Problem, at, call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { button, byId, make, say } from "./elements.js";
import { events } from "./events.js";
import { isKnown, t } from "./i18n.js";
import { startImport } from "./import.js";
import { moment, plain } from "./numbers.js";
import { series } from "./phrases.js";
import { attempt, explained } from "./problems.js";
import { showRefusals } from "./refusals.js";
import { collection, session } from "./session.js";
import { addPanel, openTab } from "./tabs.js";

const MOST = 1000; // jobs read to find the newest; the service lists the oldest first
const SHOWN = 50;
const AGAIN_MS = 2000;
const FINAL = ["succeeded", "failed", "cancelled"];
const TONES = { succeeded: "match", failed: "refused", cancelled: "unknown" };
let watching = new AbortController();

/** Connect the tab. */
export function startJobs() {
  byId("jobs-refresh").onclick = () => void load();
  startImport(() => void load());
  const again = () => openTab() === "jobs" && void load();
  session.addEventListener("collection", again);
  addPanel("jobs", { onShow: () => void load(), onHide: () => watching.abort() });
}

async function load() {
  watching.abort();
  watching = new AbortController();
  const { signal } = watching;
  await attempt(byId("jobs-list"), async () => {
    const jobs = await newest();
    byId("jobs-none").hidden = jobs !== null;
    byId("jobs-there").hidden = jobs === null;
    if (!jobs) return;
    const items = jobs.map((job) => watched(job, signal));
    byId("jobs-list").replaceChildren(...(items.length ? items : [make("li", { class: "hint" }, t("jobs.empty"))]));
  });
}

/** @returns {Promise<any[] | null>} null if the service has no jobs */
async function newest() {
  const found = [];
  let cursor = null;
  try {
    do {
      const page = await call("GET", "jobs", { query: { collection: collection(), limit: 200, cursor } });
      found.push(...page.jobs);
      cursor = page.next_cursor;
    } while (cursor && found.length < MOST);
  } catch (error) {
    if (error instanceof Problem && error.code === "not_found") return null;
    throw error;
  }
  return found.reverse().slice(0, SHOWN);
}

/** A list entry that follows its job. */
function watched(job, signal) {
  const item = make("li", {});
  drawJob(item, job);
  if (!FINAL.includes(job.state)) void follow(item, job.job_id, signal);
  return item;
}

async function follow(item, jobId, signal) {
  await attempt(item, async () => {
    while (!signal.aborted && !FINAL.includes(item.dataset.state)) {
      for await (const { data } of events(at("jobs/{}/events", jobId), signal)) {
        drawJob(item, data);
        if (FINAL.includes(data.state)) say(stateOf(data));
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS)); // the stream broke off: the service stops, or was replaced
    }
  });
}

const worded = (/** @type {string} */ key, /** @type {string} */ code) => (isKnown(key) ? t(key) : plain(code));
const kindOf = (/** @type {any} */ { kind }) => worded(`jobs.kind_${kind}`, kind);
const stateOf = (/** @type {any} */ job) => t("jobs.state", { kind: kindOf(job), state: worded(`jobs.state_${job.state}`, job.state) });

/** @returns {string} the figures of a job that has ended */
function resultOf(/** @type {any} */ { result }) {
  const figures = Object.entries(result ?? {}).filter(([, value]) => typeof value === "number");
  return series(...figures.map(([name, value]) => t("jobs.result", { name: worded(`jobs.result_${name}`, name), value })));
}

function drawJob(item, job) {
  const isOver = FINAL.includes(job.state);
  const progress = make("progress", { "aria-label": t("jobs.progressOf", { kind: kindOf(job) }) });
  if (job.total !== null) [progress.max, progress.value] = [Math.max(job.total, 1), job.total ? job.done : 1];
  const errors = job.errors ? button(t("jobs.refused", { count: job.errors }), () => void listErrors(item, job), "small quiet") : null;
  const cancel = isOver || job.state === "cancelling" ? null : button(t("jobs.cancel"), () => void cancelJob(item, job), "small");
  const total = job.total === null ? "…" : job.total;
  const result = resultOf(job);
  item.dataset.state = job.state;
  item.className = `job ${TONES[job.state] ?? "possible"}`;
  item.replaceChildren(
    make("span", {}, make("b", {}, stateOf(job)), ": ", t("jobs.progress", { done: job.done, total })),
    ...(isOver ? [] : [progress]),
    make("small", {}, series(t("jobs.created", { when: moment(job.created_at), who: job.created_by }), job.collection)),
    ...(result ? [make("small", {}, result)] : []),
    ...(job.failure ? [make("span", {}, ...explained(job.failure))] : []),
    make("div", { class: "row" }, errors, cancel),
  );
}

async function cancelJob(item, job) {
  if (!(await confirmed(t("jobs.cancelThis", { kind: kindOf(job) }), t("jobs.cancelEffect"), t("jobs.cancelIt")))) return;
  await attempt(byId("jobs-list"), async () => drawJob(item, await call("POST", at("jobs/{}/cancel", job.job_id))));
}

async function listErrors(item, job) {
  await attempt(byId("jobs-list"), async () => {
    item.querySelector(".refusals")?.remove();
    const host = make("div", {});
    item.append(host);
    await showRefusals(host, job);
  });
}
