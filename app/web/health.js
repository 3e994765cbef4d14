/** The gallery's health check: page by page, each finding with the call that fixes it. */

import { at, call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { button, byId, make, say } from "./elements.js";
import { enrollMore } from "./enroll.js";
import { count, quality, rate, similarity } from "./numbers.js";
import { attempt } from "./problems.js";
import { collection } from "./session.js";

/** @param {any} person */
const named = (person) => make("b", {}, person.name ? `${person.name} (${person.identity_id})` : person.identity_id);

/**
 * @param {() => void} onFixed
 * @returns {{stop: () => void, reset: () => void}}
 */
export function startHealth(onFixed) {
  /** @type {AbortController | null} */
  let stopping = null;
  const stop = () => stopping?.abort();
  byId("health-stop").onclick = stop;
  byId("health-start").onclick = () => void attempt(byId("health-start"), check);

  async function check() {
    stopping = new AbortController();
    const { signal } = stopping;
    byId("findings").replaceChildren();
    byId("health-stop").hidden = false;
    let [people, found, cursor] = [0, 0, null];
    try {
      do {
        const page = await call("GET", at("collections/{}/health", collection()), { query: { cursor }, signal });
        const items = findings(page, onFixed);
        byId("findings").append(...items);
        people += page.identities;
        found += items.length;
        cursor = page.next_cursor;
        byId("health-progress").textContent = `${count(people, "person", "people")} looked at, ${count(found, "finding")}${cursor ? " …" : "."}`;
      } while (cursor);
    } finally {
      byId("health-stop").hidden = true;
      if (signal.aborted) byId("health-progress").textContent += " Stopped.";
    }
  }

  return {
    stop,
    reset: () => {
      stop();
      byId("findings").replaceChildren();
      byId("health-progress").textContent = "";
    },
  };
}

/**
 * @param {any} page
 * @param {() => void} onFixed
 */
function findings(page, onFixed) {
  const duplicates = page.duplicates.map((/** @type {any} */ each) =>
    finding([named(each.first), " and ", named(each.second), " look like one person"], `similarity ${similarity(each.similarity)}, FPIR ${rate(each.fpir, each.fpir_range)}`, each.mend, onFixed),
  );
  const foreign = page.foreign_faces.map((/** @type {any} */ each) => {
    const like = each.looks_like ? [", but like ", named(each.looks_like.person)] : [];
    const doubt = each.is_undecided ? "; the other faces may be wrong instead" : "";
    return finding(["A face of ", named(each.identity), ` does not look like the other ${each.others}`, ...like], `similarity ${similarity(each.similarity)}, quality ${quality(each.quality)}${doubt}`, each.mend, onFixed);
  });
  const poor = page.poor_faces.map((/** @type {any} */ each) =>
    finding(["A face of ", named(each.identity), " has low quality"], `quality ${quality(each.quality)}, the collection requires ${quality(each.least)}`, each.mend, onFixed),
  );
  return [...duplicates, ...foreign, ...poor];
}

function finding(text, figures, fix, onFixed) {
  const item = make("li", { class: "finding possible" }, make("span", {}, ...text), make("small", {}, figures));
  item.append(make("div", { class: "row" }, button(verbOf(fix), () => void applyFix(item, fix, onFixed), "small")));
  return item;
}

/** @param {any} fix */
function verbOf(fix) {
  if (fix.path === "/enroll") return "Enroll another photo";
  if (fix.method === "DELETE") return "Delete this face";
  return fix.path.endsWith("/merge") ? `Merge into ${fix.body.into}` : `Move to ${fix.body.identity_id}`;
}

async function applyFix(item, fix, onFixed) {
  if (fix.path === "/enroll") return enrollMore(fix.body.identity_id);
  const verb = verbOf(fix);
  if (!(await confirmed(`${verb}?`, "It cannot be undone.", verb))) return;
  await attempt(item, async () => {
    await call(fix.method, fix.path, { json: fix.body });
    item.className = "finding match";
    item.replaceChildren(make("span", { tabIndex: -1 }, `${verb}: done`));
    item.firstElementChild.focus();
    say(`${verb}: done`);
    onFixed();
  });
}
