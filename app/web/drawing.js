/** Boxes and names on a picture. A list next to it contains the same facts. */

import { make } from "./elements.js";

/** @typedef {{box: number[], tone: string, lines: string[]}} Mark */

const LINE = 17; // screen pixels

/** A photo or video under a canvas that follows its size. */
export class Picture {
  /** @param {HTMLImageElement | HTMLVideoElement} media */
  constructor(media) {
    this.media = media;
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.element = make("div", { class: "picture" }, media, this.canvas);
    /** @type {Mark[]} */
    this.marks = [];
    this.size = [1, 1];
    new ResizeObserver(() => this.draw()).observe(media);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
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
    pen.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
    const colours = getComputedStyle(document.body);
    const scale = [width / this.size[0], height / this.size[1]];
    const boxes = this.marks.map(({ box }) => box.map((value, at) => value * scale[at % 2]));
    this.marks.forEach((mark, at) => outline(pen, boxes[at], colours.getPropertyValue(`--${mark.tone}`)));
    const taken = [...boxes];
    this.marks.forEach((mark, at) => label(pen, mark, { box: boxes[at], taken, width, height, colours }));
  }
}

function outline(pen, [left, top, right, bottom], colour) {
  pen.beginPath();
  pen.roundRect(left, top, right - left, bottom - top, 4);
  pen.lineWidth = 5;
  pen.strokeStyle = "rgb(0 0 0 / 45%)";
  pen.stroke();
  pen.lineWidth = 2.5;
  pen.strokeStyle = colour;
  pen.stroke();
}

/** Draw as many lines as fit without covering a face or a label, at least the number. */
function label(pen, mark, { box, taken, width, height, colours }) {
  const number = mark.lines[0].split(" ")[0];
  for (const lines of [mark.lines, mark.lines.slice(0, 1), [number]]) {
    const wide = Math.max(...lines.map((line) => pen.measureText(line).width)) + 12;
    const high = lines.length * LINE + 6;
    const free = places(box, wide, high).find(([x, y]) => {
      const place = [x, y, x + wide, y + high];
      return x >= 0 && y >= 0 && place[2] <= width && place[3] <= height && !taken.some((other) => overlaps(other, place));
    });
    if (!free && lines[0] !== number) continue;
    const [x, y] = free ?? [box[0], box[1]];
    taken.push([x, y, x + wide, y + high]);
    pen.fillStyle = colours.getPropertyValue(`--${mark.tone}`);
    pen.beginPath();
    pen.roundRect(x, y, wide, high, 4);
    pen.fill();
    pen.fillStyle = colours.getPropertyValue("--sheet");
    lines.forEach((line, at) => pen.fillText(line, x + 6, y + LINE * (at + 1) - 1));
    return;
  }
}

/** Return places for a label: above or below its box, centred or at a side; then slightly farther away. */
function places([left, top, right, bottom], wide, high) {
  const across = [(left + right - wide) / 2, left, right - wide];
  return [0, high / 2].flatMap((away) => [top - high - 4 - away, bottom + 4 + away].flatMap((y) => across.map((x) => [x, y])));
}

const overlaps = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/**
 * @param {Blob} photo
 * @param {string} alt
 * @returns {Promise<Picture | null>} null if the browser cannot show the photo
 */
export async function pictureOf(photo, alt) {
  const image = make("img", { alt, src: URL.createObjectURL(photo) });
  try {
    await image.decode();
  } catch {
    return null;
  } finally {
    setTimeout(() => URL.revokeObjectURL(image.src), 0);
  }
  return new Picture(image);
}

/** @param {Picture} picture of a photo */
export const sizeOf = (picture) => [picture.media.naturalWidth, picture.media.naturalHeight];
