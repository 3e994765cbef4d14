/** The tab Administration: views of the whole service, each with an address, such as `#/admin/keys`. */

import { lacking, may } from "./account.js";
import { showAudit } from "./audit.js";
import { showBackups } from "./backups.js";
import { showCalibration } from "./calibration.js";
import { showCollections } from "./collectionlist.js";
import { byId, make } from "./elements.js";
import { t } from "./i18n.js";
import { showKeys } from "./keys.js";
import { attempt } from "./problems.js";
import { showReviews } from "./reviews.js";
import { showSightings } from "./sightings.js";
import { addPanel, addressOf, show } from "./tabs.js";
import { showTraffic } from "./traffic.js";

/** @typedef {(host: HTMLElement, about: string, signal: AbortSignal) => Promise<void>} View fills the host; `about`: the rest of the address */

/** @type {{name: string, scope: string, fill: View}[]} */
const VIEWS = [
  { name: "collections", scope: "manage", fill: showCollections },
  { name: "sightings", scope: "manage", fill: showSightings },
  { name: "reviews", scope: "manage", fill: showReviews },
  { name: "keys", scope: "admin", fill: showKeys },
  { name: "traffic", scope: "metrics", fill: showTraffic },
  { name: "calibration", scope: "recognise", fill: showCalibration },
  { name: "audit", scope: "admin", fill: showAudit },
  { name: "backups", scope: "admin", fill: showBackups },
];
let shown = new AbortController();

/** Connect the tab. */
export function startAdmin() {
  addPanel("admin", { onShow, onHide: () => shown.abort(), isGlobal: true });
}

function onShow(/** @type {string} */ address) {
  const [name, ...about] = address.split("/");
  const view = VIEWS.find((each) => each.name === name);
  if (!view) return show("admin", (VIEWS.find((each) => may(each.scope)) ?? VIEWS[0]).name, true);
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  drawLinks(view.name);
  const host = make("div", { class: "admin-view" });
  byId("admin").querySelector(".admin-view")?.remove();
  byId("admin").append(host);
  if (!may(view.scope)) return host.append(...lacking(t(`admin.${view.name}`), [view.scope]));
  void attempt(host, () => view.fill(host, about.join("/"), signal));
}

/** Draw the links to the views, or mark another one, so that the focus stays. */
function drawLinks(/** @type {string} */ current) {
  const allowed = VIEWS.filter((each) => may(each.scope) || each.name === current).map((each) => each.name);
  const names = allowed.join();
  let links = /** @type {HTMLElement | null} */ (byId("admin").querySelector(".admin-links"));
  if (links?.dataset.names !== names) {
    const entries = allowed.map((each) => make("a", { href: addressOf("admin", each), "data-view": each }, t(`admin.${each}`)));
    if (may("manage")) entries.push(make("a", { href: addressOf("jobs") }, t("admin.jobs")));
    links?.remove();
    links = /** @type {HTMLElement} */ (make("nav", { class: "admin-links", "aria-label": t("admin.views"), "data-names": names }, ...entries));
    byId("admin").prepend(links);
  }
  for (const link of links.querySelectorAll("a")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
