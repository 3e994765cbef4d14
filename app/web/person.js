/** One person: faces with their quality; rename, merge, delete. */

import { at, call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { button, byId, make, say } from "./elements.js";
import { enrollMore } from "./enroll.js";
import { count, moment, quality } from "./numbers.js";
import { attempt } from "./problems.js";
import { collection } from "./session.js";

/**
 * @param {string} identityId
 * @param {(now: string | null) => void} onChange called with the id to show
 */
export async function showPerson(identityId, onChange) {
  const host = byId("person");
  await attempt(host, async () => {
    const person = await call("GET", at("collections/{}/identities/{}", collection(), identityId));
    const faces = make("ul", { class: "person-faces", "aria-label": "Faces" }, ...items(person.first_faces));
    const more = button("Show more faces", () => void furtherFaces(), "small");
    let cursor = null;
    more.hidden = person.faces <= person.first_faces.length;
    // The answer about the person has the first faces without a cursor, so read the list from its start.
    async function furtherFaces() {
      await attempt(faces, async () => {
        const page = await call("GET", at("collections/{}/faces", collection()), { query: { identity_id: identityId, cursor, limit: 200 } });
        if (cursor === null) faces.replaceChildren();
        faces.append(...items(page.faces));
        cursor = page.next_cursor;
        more.hidden = cursor === null;
      });
    }
    function items(/** @type {any[]} */ listed) {
      return listed.map((face) => faceItem(face, () => void removeFace(face, person)));
    }
    host.replaceChildren(
      make("h3", { tabIndex: -1 }, person.name || person.identity_id),
      make("p", { class: "hint" }, `${person.identity_id} · ${count(person.faces, "face")} · enrolled ${moment(person.created_at)}`),
      Object.keys(person.metadata).length ? make("p", {}, make("code", {}, JSON.stringify(person.metadata))) : "",
      faces,
      more,
      make("div", { class: "row" }, button("Enroll another photo", () => enrollMore(person.identity_id), "small")),
      make("hr"),
      nameForm(person),
      mergeForm(person),
      make("hr"),
      button("Delete this person", () => void removePerson(person), "small danger"),
    );
  }, (problem) => problem.code === "identity_unknown" && gone(problem.detail));

  function gone(/** @type {string} */ text) {
    host.replaceChildren(make("p", { class: "hint", tabIndex: -1 }, text));
    host.firstElementChild.focus();
    say(text);
    onChange(null);
  }

  async function removePerson(/** @type {any} */ person) {
    const text = `${count(person.faces, "face")} and all data about this person will be deleted permanently.`;
    if (!(await confirmed(`Delete ${person.name || person.identity_id}?`, text, "Delete"))) return;
    await attempt(host, async () => {
      await call("DELETE", at("collections/{}/identities/{}", collection(), identityId));
      gone(`${identityId} is deleted.`);
    });
  }

  async function removeFace(/** @type {any} */ face, /** @type {any} */ person) {
    const text = person.faces === 1 ? "It is the last face, so the person will be deleted too." : "It will be deleted permanently.";
    if (!(await confirmed("Delete this face?", text, "Delete"))) return;
    const isDone = await attempt(host, async () => {
      await call("DELETE", at("collections/{}/faces/{}", collection(), face.face_id));
      return true;
    });
    if (!isDone) return;
    say("The face is deleted.");
    if (person.faces === 1) return gone(`${identityId} is deleted.`);
    await showPerson(identityId, onChange);
    host.querySelector("h3")?.focus();
    onChange(identityId);
  }

  function nameForm(/** @type {any} */ person) {
    const field = make("input", { id: "person-name", maxLength: 256, value: person.name ?? "" });
    return form(make("label", { htmlFor: "person-name" }, "Name"), field, "Rename", async () => {
      await call("PATCH", at("collections/{}/identities/{}", collection(), identityId), { json: { name: field.value.trim() || null } });
      return identityId;
    });
  }

  function mergeForm(/** @type {any} */ person) {
    const field = make("input", { id: "person-into", maxLength: 128, required: true, spellcheck: false });
    return form(make("label", { htmlFor: "person-into" }, "Is the same person as ", make("small", {}, "an id")), field, "Merge", async () => {
      const into = field.value.trim();
      const text = `All faces of ${person.identity_id} will belong to ${into}, and ${person.identity_id} will be deleted.`;
      if (!into || !(await confirmed(`Merge into ${into}?`, text, "Merge"))) return null;
      await call("POST", at("collections/{}/identities/{}/merge", collection(), identityId), { json: { into } });
      return into;
    });
  }

  function form(/** @type {HTMLElement} */ label, /** @type {HTMLElement} */ field, /** @type {string} */ verb, /** @type {() => Promise<string | null>} */ work) {
    const made = make("form", { autocomplete: "off" }, label, make("div", { class: "row" }, field, make("button", { type: "submit" }, verb)));
    made.onsubmit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const now = await attempt(made, work);
      if (!now) return;
      say(`${verb}: done`);
      await showPerson(now, onChange);
      host.querySelector("h3")?.focus();
      onChange(now);
    };
    return made;
  }
}

function faceItem(face, onDelete) {
  const remove = button("Delete", onDelete, "small quiet");
  remove.setAttribute("aria-label", `Delete the face of ${moment(face.created_at)}`);
  const score = face.quality ?? 0;
  return make(
    "li",
    {},
    make("div", {}, make("span", {}, face.quality === null ? "quality not known" : `quality ${quality(score)}`), make("meter", { value: score, min: 0, max: 1, "aria-label": "Quality" }), make("small", {}, `${moment(face.created_at)} · detection ${quality(face.detection_score)}`)),
    remove,
  );
}
