/** Construction of elements. Text is always inserted as text, never as HTML. */

/**
 * @param {string} id
 * @returns {any} the element, which index.html has
 */
export const byId = (id) => document.getElementById(id);

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties] such as `class`, `onclick`, `aria-*` and `data-*`; null omits a property
 * @param {...(Node | string | number | null | undefined)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "class") made.className = value;
    else if (name in made && !name.includes("-")) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (typeof child === "number" ? String(child) : child)));
  return made;
}

/**
 * @param {string} text
 * @param {(event: Event) => void} onclick
 * @param {string} [look] `main`, `quiet`, `small`, `danger`
 */
export const button = (text, onclick, look = "") => make("button", { type: "button", class: look, onclick }, text);

/**
 * @param {string} text
 * @returns {void} announced to screen readers, not visible
 */
export function say(text) {
  byId("status").textContent = text;
}
