/** Entry point of the page: connect its parts. */

import { startAccount } from "./account.js";
import { startAdmin } from "./admin.js";
import { startCollections } from "./collections.js";
import { byId } from "./elements.js";
import { startEnroll } from "./enroll.js";
import { startHealth } from "./health.js";
import { useLanguage } from "./i18n.js";
import { startIdentify } from "./identify.js";
import { startJobs } from "./jobs.js";
import { startPeople } from "./people.js";
import { startTabs } from "./tabs.js";
import { startUnnamed } from "./unnamed.js";
import { startVerify } from "./verify.js";

byId("language").onchange = () => useLanguage(byId("language").value);

// A photo dropped outside its field must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

startIdentify();
startEnroll();
startVerify();
startPeople();
startUnnamed();
startHealth();
startJobs();
startAdmin();
await startAccount(); // before anything else is asked for
startTabs();
startCollections();
