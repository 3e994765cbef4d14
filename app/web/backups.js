/** The view of backups: start, download and delete them. */

import { at, call, send } from "./api.js";
import { confirmed } from "./dialogs.js";
import { button, make, say } from "./elements.js";
import { events } from "./events.js";
import { t } from "./i18n.js";
import { moment } from "./numbers.js";
import { attempt } from "./problems.js";
import { saveFile, sizeOf } from "./tables.js";

/** @type {import("./admin.js").View} */
export async function showBackups(host, _about, signal) {
  const list = make("ul", { class: "entries", "aria-label": t("admin.backups") });
  const progress = make("p", { class: "hint", role: "status" });
  const command = make("code", {});
  const restore = make("p", { class: "hint" }, t("backups.restore"), " ", command);
  const start = button(t("backups.start"), () => void attempt(start, begin), "main");

  async function load() {
    const { backups, folder } = await call("GET", "backups", { signal });
    command.textContent = backups.length ? `arcid restore ${quoted(`${folder}/${backups[0].name}`)}` : "";
    restore.hidden = !backups.length;
    list.replaceChildren(...(backups.length ? backups.map(entry) : [make("li", { class: "hint" }, t("backups.none"))]));
  }
  async function begin() {
    const form = new FormData();
    form.append("kind", "backup");
    progress.textContent = t("backups.running");
    try {
      const job = await call("POST", "jobs", { form });
      for await (const { data } of events(at("jobs/{}/events", job.job_id), signal)) {
        if (data.state === "succeeded") progress.textContent = t("backups.made", { name: data.result.name });
        else if (data.failure) progress.textContent = `${data.failure.code}: ${data.failure.detail}`;
      }
    } catch (error) {
      progress.textContent = "";
      throw error;
    }
    await load();
  }
  function entry(/** @type {any} */ each) {
    const path = at("backups/{}", each.name);
    const save = button(t("backups.download"), () => void attempt(list, async () => saveFile(each.name, await (await send("GET", path)).blob())), "small");
    const drop = button(t("backups.delete"), () => void attempt(list, async () => {
      if (!(await confirmed(t("backups.delete_title", { name: each.name }), t("backups.delete_text"), t("backups.delete")))) return;
      await call("DELETE", path);
      say(t("backups.deleted"));
      await load();
    }), "small danger");
    for (const [control, verb] of [[save, "backups.download"], [drop, "backups.delete"]]) control.setAttribute("aria-label", `${t(verb)}: ${each.name}`);
    return make("li", {}, make("div", { class: "entry-text" }, make("b", {}, moment(each.created_at)), make("small", {}, [each.name, sizeOf(each.size), each.arcid_version && `ArcID ${each.arcid_version}`].filter(Boolean).join(" · "))), make("div", { class: "row" }, save, drop));
  }

  await load();
  if (signal.aborted) return;
  host.replaceChildren(make("div", { class: "view-head" }, make("h2", {}, t("admin.backups")), start), make("p", { class: "hint" }, t("backups.about")), progress, list, restore);
}

/** @returns {string} a path as one word of a shell */
const quoted = (/** @type {string} */ path) => (/^[\w/.\-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
