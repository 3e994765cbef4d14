/** The tab Identify: a photo or the live camera, with boxes, names and error rates on the picture and in a list. */

import { call } from "./api.js";
import { decide } from "./decision.js";
import { Picture, pictureOf, sizeOf } from "./drawing.js";
import { button, byId, make, say } from "./elements.js";
import { faceItem, markOf, titleOf } from "./faces.js";
import { Live } from "./live.js";
import { count } from "./numbers.js";
import { photoField } from "./photofield.js";
import { attempt, clearProblems, showProblem } from "./problems.js";
import { collection } from "./session.js";
import { addPanel } from "./tabs.js";
import { startThreshold } from "./threshold.js";

/** @type {{picture: Picture | null, faces: any[], size: number[]} | null} */
let shown = null;
/** @type {Live | null} */
let live = null;
let said = "";

/** Connect the tab. */
export function startIdentify() {
  const threshold = startThreshold(() => draw(threshold));
  const field = byId("identify-photo");
  photoField(field, {
    what: "a photo",
    onPhotos: ([photo]) => {
      live?.stop();
      void attempt(field, () => identify(photo, threshold));
    },
    onLive: () => void watch(threshold),
  });
  addPanel("identify", { onShow: () => void threshold.load(), onHide: () => live?.stop() });
}

async function identify(photo, threshold) {
  clear();
  const result = byId("identify-result");
  result.replaceChildren(make("p", { class: "hint" }, "Looking …"));
  try {
    const picture = await pictureOf(photo, "The photo, with a box around each face; the list below has the same facts");
    if (picture) stage(picture.element);
    const answer = await asked(photo);
    shown = { picture, faces: answer.faces, size: picture ? sizeOf(picture) : [1, 1] };
    draw(threshold);
    if (!picture) result.prepend(make("p", { class: "note" }, "The browser cannot show this kind of photo; the service can read it."));
  } catch (error) {
    result.replaceChildren();
    throw error;
  }
}

/** @returns {Promise<any>} */
function asked(photo, signal) {
  const form = new FormData();
  form.append("photo", photo);
  form.append("collection", collection());
  return call("POST", "identify", { form, signal });
}

/** Show the faces, decided by the service's rule or by the slider. */
function draw(threshold) {
  if (!shown) return;
  const { picture, faces, size } = shown;
  const at = threshold.value();
  const verdicts = at === null ? faces.map((face) => face.verdict) : decide(faces, at);
  picture?.show(faces.map((face, index) => markOf(face, verdicts[index], index)), size);
  const matched = verdicts.filter((each) => each === "match").length;
  const summary = faces.length ? `${count(faces.length, "face")}, ${matched} matched` : "No face was found.";
  const rule = at === null || !faces.length ? null : make("p", { class: "hint" }, "As the slider’s threshold would decide.");
  const list = make("ul", { class: "faces", "aria-label": "Faces" }, ...faces.map((face, index) => faceItem(face, verdicts[index], index)));
  byId("identify-result").replaceChildren(make("h3", {}, summary), ...(rule ? [rule] : []), list);
  threshold.showMatched(faces.length ? `${matched} of ${faces.length}` : null);
  const now = [summary, ...faces.map((face, index) => titleOf(face, verdicts[index]))].join(". ");
  if (now !== said) say((said = now));
}

async function watch(threshold) {
  if (live) return;
  clear();
  clearProblems();
  const video = make("video", { "aria-label": "What the camera sees, with a box around each face; the list below has the same facts" });
  const picture = new Picture(video);
  const stop = button("Stop the camera", () => live?.stop());
  stage(picture.element, make("div", { class: "row" }, stop));
  const look = async (/** @type {File} */ frame, /** @type {AbortSignal} */ signal) => {
    const answer = await asked(frame, signal);
    if (signal.aborted) return;
    const bitmap = await createImageBitmap(frame);
    shown = { picture, faces: answer.faces, size: [bitmap.width, bitmap.height] };
    bitmap.close();
    draw(threshold);
  };
  live = new Live(video, look, (error) => {
    live = null;
    clear();
    byId("identify-stage").hidden = true;
    if (error) showProblem(error, () => void watch(threshold));
  });
  void live.run();
  stop.focus();
}

function stage(...children) {
  byId("identify-stage").replaceChildren(...children);
  byId("identify-stage").hidden = false;
}

function clear() {
  shown = null;
  said = "";
  byId("identify-stage").replaceChildren();
  byId("identify-result").replaceChildren();
}
