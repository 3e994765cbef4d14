/** The two dialogs: the API key, and the confirmation. */

import { byId } from "./elements.js";
import { useKey } from "./session.js";

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Ask for an API key. Callers that ask while the dialog is open get the same answer.
 *
 * @param {string} reason
 * @returns {Promise<boolean>} whether the user gave a key
 */
export function askKey(reason) {
  asking ??= keyDialog(reason).finally(() => (asking = null));
  return asking;
}

function keyDialog(reason) {
  const field = byId("key");
  byId("key-reason").textContent = reason;
  field.value = "";
  return opened(byId("key-dialog"), (close) => {
    byId("key-cancel").onclick = () => close(false);
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      if (!field.value.trim()) return;
      useKey(field.value.trim());
      field.value = "";
      close(true);
    };
  });
}

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
