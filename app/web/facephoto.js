/** One face of a photo as a separate picture: for lists, and as a photo to enroll. */

import { Problem } from "./api.js";
import { make } from "./elements.js";
import { t } from "./i18n.js";

const MARGIN = 1; // around a face to enroll, in widths and heights of its box
const CLOSE = 0.5; // the same in lists
const LONGEST = 1600; // pixels of a photo to enroll
const BLANK = "#808080";

/**
 * @param {number[]} box
 * @param {number} margin
 * @param {number[]} size of the photo
 * @returns {number[]} the box with a margin, inside the photo
 */
function widened([left, top, right, bottom], margin, [width, height]) {
  const [across, down] = [(right - left) * margin, (bottom - top) * margin];
  return [Math.max(left - across, 0), Math.max(top - down, 0), Math.min(right + across, width), Math.min(bottom + down, height)];
}

/**
 * @param {CanvasImageSource} source the photo
 * @param {number[]} size of it
 * @param {number[]} box
 * @param {number} [pixels] of the side
 * @returns {HTMLCanvasElement} the face alone, a square
 */
export function faceCanvas(source, size, box, pixels = 112) {
  const [left, top, right, bottom] = widened(box, CLOSE, size);
  const side = Math.min(right - left, bottom - top);
  const canvas = make("canvas", { width: pixels, height: pixels, "aria-hidden": "true" });
  canvas.getContext("2d")?.drawImage(source, (left + right - side) / 2, (top + bottom - side) / 2, side, side, 0, 0, pixels, pixels);
  return canvas;
}

/**
 * @param {CanvasImageSource} source
 * @param {number[]} size
 * @param {number[]} box the face to keep
 * @param {number[][]} others boxes of faces that are painted over
 * @returns {Promise<File>} a photo whose main face is the one in the box
 */
export async function facePhoto(source, size, box, others) {
  const [left, top, right, bottom] = widened(box, MARGIN, size).map(Math.round);
  const scale = Math.min(1, LONGEST / Math.max(right - left, bottom - top));
  const canvas = make("canvas", { width: Math.round((right - left) * scale), height: Math.round((bottom - top) * scale) });
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.translate(-left, -top);
  pen.drawImage(source, 0, 0, size[0], size[1]);
  pen.fillStyle = BLANK;
  for (const [x, y, toX, toY] of others) pen.fillRect(x, y, toX - x, toY - y);
  pen.beginPath();
  pen.rect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  pen.clip();
  pen.drawImage(source, 0, 0, size[0], size[1]);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  if (!blob) throw new Problem({ title: t("problems.noPicture"), code: "page_error", detail: t("problems.cutFace") });
  return new File([blob], "face.jpg", { type: "image/jpeg" });
}
