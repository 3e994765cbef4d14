/** Entry point of the page: connect its parts. */

import { whenRefused } from "./api.js";
import { startCollections } from "./collections.js";
import { askKey } from "./dialogs.js";
import { byId } from "./elements.js";
import { startEnroll } from "./enroll.js";
import { startHealth } from "./health.js";
import { t, useLanguage } from "./i18n.js";
import { startIdentify } from "./identify.js";
import { startJobs } from "./jobs.js";
import { startPeople } from "./people.js";
import { clearProblems } from "./problems.js";
import { key, session, signOut } from "./session.js";
import { startTabs } from "./tabs.js";
import { startVerify } from "./verify.js";

/** @type {string | null} */
let kept = null; // a key that the user keeps although it lacks scopes
whenRefused(async (problem) => {
  if (problem.status === 403 && kept === key()) return false;
  const isThere = await askKey(problem.detail);
  if (!isThere) kept = key();
  return isThere;
});
const account = () => {
  byId("sign-out").hidden = key() === null;
  byId("key-set").textContent = t(key() === null ? "page.key" : "page.changeKey");
};
byId("key-set").onclick = () => void askKey(t("page.anyKey"));
byId("sign-out").onclick = signOut;
byId("language").onchange = () => useLanguage(byId("language").value);
session.addEventListener("key", account);
session.addEventListener("key", clearProblems);
account();

// A photo dropped outside its field must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

startIdentify();
startEnroll();
startVerify();
startPeople();
startHealth();
startJobs();
startTabs();
startCollections();
