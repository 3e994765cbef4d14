/** Boxes and names on a picture. A list next to it contains the same facts. */

import { make } from "./elements.js";

/** @typedef {{box: number[], tone: string, lines: string[], at: number}} Mark `at`: its place among all faces */

const NAMES = { size: 13, line: 17, pad: 6 }; // screen pixels
const NUMBERS = { size: 11, line: 12, pad: 3 };
const SMALL = 40;
const FEW = 2; // faces whose names are drawn even on the faces

const DASHES = { possible: [8, 4], unknown: [3, 3] }; // so that verdicts differ without colours

/** A photo or video under a canvas that follows its size. */
export class Picture {
  /**
   * @param {HTMLImageElement | HTMLVideoElement} media
   * @param {(at: number) => void} [onPick] called with the place of a clicked mark; a list offers the same
   */
  constructor(media, onPick) {
    this.media = media;
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.element = make("div", { class: "picture" }, media, this.canvas);
    /** @type {Mark[]} */
    this.marks = [];
    this.size = [1, 1];
    if (onPick) this.listen(onPick);
    new ResizeObserver(() => this.draw()).observe(media);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  listen(/** @type {(at: number) => void} */ onPick) {
    this.element.onclick = (/** @type {MouseEvent} */ event) => {
      const at = this.under(event);
      if (at !== null) onPick(at);
    };
    this.element.onmousemove = (/** @type {MouseEvent} */ event) => this.element.classList.toggle("pointed", this.under(event) !== null);
  }

  /** @returns {number | null} the place of the smallest mark under the pointer */
  under(/** @type {MouseEvent} */ { clientX, clientY }) {
    const { left, top, width, height } = this.media.getBoundingClientRect();
    const [x, y] = [((clientX - left) / width) * this.size[0], ((clientY - top) / height) * this.size[1]];
    const within = this.marks.filter(({ box }) => box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3]);
    const area = (/** @type {Mark} */ { box }) => (box[2] - box[0]) * (box[3] - box[1]);
    within.sort((one, other) => area(one) - area(other));
    return within.length ? within[0].at : null;
  }

  /**
   * @param {Mark[]} marks boxes in pixels of the upright photo
   * @param {number[]} size of that photo
   */
  show(marks, size) {
    this.marks = marks;
    this.size = size;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.media;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    if (!pen || !width) return;
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.body);
    const scale = [width / this.size[0], height / this.size[1]];
    const boxes = this.marks.map(({ box }) => box.map((value, at) => value * scale[at % 2]));
    const colours = this.marks.map(({ tone }) => style.getPropertyValue(`--${tone}`));
    this.marks.forEach((mark, at) => outline(pen, boxes[at], colours[at], DASHES[mark.tone] ?? []));
    const names = labels(pen, this.marks.map(({ lines }) => lines), boxes, { width, height, family: style.fontFamily, ...NAMES });
    const isCrowd = this.marks.length > FEW && names.some(({ isFree }) => !isFree);
    const drawn = isCrowd ? labels(pen, this.marks.map(({ at }) => [String(at + 1)]), boxes, { width, height, family: style.fontFamily, ...NUMBERS }) : names;
    drawn.forEach((each, at) => write(pen, each, colours[at], style.getPropertyValue("--sheet")));
  }
}

function outline(pen, [left, top, right, bottom], colour, dashes) {
  pen.beginPath();
  pen.roundRect(left, top, right - left, bottom - top, 4);
  pen.setLineDash([]);
  const thick = right - left < SMALL ? 1.5 : 2.5;
  pen.lineWidth = 2 * thick;
  pen.strokeStyle = "rgb(0 0 0 / 45%)";
  pen.stroke();
  pen.setLineDash(dashes);
  pen.lineWidth = thick;
  pen.strokeStyle = colour;
  pen.stroke();
}

/** @typedef {{lines: string[], place: number[], font: string, line: number, pad: number, isFree: boolean}} Label */

/** @returns {Label[]} a label for each box; it is free if it covers neither a face nor another label */
export function labels(pen, texts, boxes, { width, height, family, size, line, pad }) {
  const font = `600 ${size}px ${family}`;
  pen.font = font;
  const taken = [...boxes];
  return texts.map((lines, at) => {
    const wide = Math.max(...lines.map((each) => pen.measureText(each).width)) + 2 * pad;
    const high = lines.length * line + pad;
    const inside = ([x, y, right, bottom]) => x >= 0 && y >= 0 && right <= width && bottom <= height;
    const free = places(boxes[at], wide, high).find((place) => inside(place) && !taken.some((other) => overlaps(other, place)));
    const [x, y] = [Math.max(0, Math.min(boxes[at][0], width - wide)), Math.max(0, boxes[at][1])];
    const place = free ?? [x, y, x + wide, y + high];
    taken.push(place);
    return { lines, place, font, line, pad, isFree: Boolean(free) };
  });
}

function write(pen, { lines, place: [x, y, right, bottom], font, line, pad }, colour, ink) {
  pen.font = font;
  pen.textAlign = "left"; // also in a page from right to left: the label is as wide as its text
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, y, right - x, bottom - y, 4);
  pen.fill();
  pen.fillStyle = ink;
  lines.forEach((each, at) => pen.fillText(each, x + pad, y + line * (at + 1) - (line - pad) / 4 + pad / 4));
}

/** @returns {number[][]} places for a label: above or below its box, centred or at a side; slightly farther away; next to it */
function places([left, top, right, bottom], wide, high) {
  const across = [(left + right - wide) / 2, left, right - wide];
  const near = [0, high / 2].flatMap((away) => [top - high - 3 - away, bottom + 3 + away].flatMap((y) => across.map((x) => [x, y])));
  const beside = [top, bottom - high].flatMap((y) => [[right + 3, y], [left - wide - 3, y]]);
  return [...near, ...beside].map(([x, y]) => [x, y, x + wide, y + high]);
}

const overlaps = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/**
 * @param {Blob} photo
 * @param {string} alt
 * @param {(at: number) => void} [onPick]
 * @returns {Promise<Picture | null>} null if the browser cannot show the photo
 */
export async function pictureOf(photo, alt, onPick) {
  const image = make("img", { alt, src: URL.createObjectURL(photo) });
  try {
    await image.decode();
  } catch {
    return null;
  } finally {
    setTimeout(() => URL.revokeObjectURL(image.src), 0);
  }
  return new Picture(image, onPick);
}

/** @param {Picture} picture of a photo */
export const sizeOf = (picture) => [picture.media.naturalWidth, picture.media.naturalHeight];
