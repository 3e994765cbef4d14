/** Changes with a way back: deletions wait some seconds before they are sent, other changes can be reversed. */

import { Problem, call } from "./api.js";
import { say } from "./elements.js";
import { t } from "./i18n.js";
import { attempt, showProblem } from "./problems.js";
import { peopleChanged, session } from "./session.js";
import { Toast } from "./toast.js";

const HOLD_MS = 8000;

/** @type {Set<(isLeaving?: boolean) => Promise<void>>} what sends the deletions that wait */
const waiting = new Set();
/** @type {Set<string>} paths */
const going = new Set();

addEventListener("pagehide", () => void flush(true));
document.addEventListener("visibilitychange", () => document.hidden && void flush(true)); // phones may end a hidden page
session.addEventListener("leaving", () => void flush(true));

/** @param {string} path of an entry: whether it is about to be deleted */
export const isGoing = (path) => going.has(path);

/** Send all deletions that wait. */
export async function flush(isLeaving = false) {
  await Promise.all([...waiting].map((send) => send(isLeaving)));
}

/**
 * Delete after some seconds, unless the user takes it back.
 *
 * @param {string[]} paths
 * @param {string} text what is deleted
 * @param {() => void} [onUndo]
 */
export function deleteLater(paths, text, onUndo = () => {}) {
  const end = () => {
    waiting.delete(send);
    for (const path of paths) going.delete(path);
    peopleChanged();
  };
  const send = async (isLeaving = false) => {
    if (!waiting.delete(send)) return;
    toast.settle();
    try {
      await (isLeaving ? Promise.all(paths.map((path) => remove(path, true))) : removeAll(paths));
    } catch (error) {
      showProblem(error);
    } finally {
      end();
    }
  };
  waiting.add(send);
  for (const path of paths) going.add(path);
  const toast = new Toast(text, () => (toast.close(), end(), onUndo(), say(t("page.undone"))), HOLD_MS, () => void send());
  peopleChanged();
}

async function removeAll(/** @type {string[]} */ paths) {
  for (const path of paths) await remove(path, false);
}

async function remove(/** @type {string} */ path, /** @type {boolean} */ isLeaving) {
  try {
    await call("DELETE", path, { isKeptAlive: isLeaving });
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error; // somebody else deleted it
  }
}

/**
 * @param {string} text what was done
 * @param {() => Promise<void>} undo
 * @param {() => void} [onUndo]
 */
export function offerUndo(text, undo, onUndo = () => {}) {
  const reverse = async () => {
    await undo();
    toast.close();
    onUndo();
    say(t("page.undone"));
    peopleChanged();
  };
  const toast = new Toast(text, () => void attempt(toast.element, reverse));
  peopleChanged();
}
