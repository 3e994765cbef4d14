/** Dialogs: the confirmation, and what all have in common. */

import { byId } from "./elements.js";

/**
 * @param {string} title
 * @param {string} text consequences of the action
 * @param {string} verb text of the button
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, verb) {
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = verb;
  return opened(byId("confirm-dialog"), (close) => {
    byId("confirm-no").onclick = () => close(false);
    byId("confirm-yes").onclick = () => close(true);
  });
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {(close: (answer: boolean) => void) => void} wire
 * @returns {Promise<boolean>} false if it is closed with Escape
 */
export function opened(dialog, wire) {
  return new Promise((resolve) => {
    let answer = false;
    wire((given) => {
      answer = given;
      dialog.close();
    });
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
  });
}
