/** A canvas, an image or pixels of a web page: structural types, so that projects without the types of DOM compile. */
export interface CanvasLike {
  toBlob(callback: (blob: Blob | null) => void, type?: string): void;
}
export interface OffscreenCanvasLike {
  convertToBlob(options?: { type?: string }): Promise<Blob>;
}
export interface PixelsLike {
  readonly data: Uint8ClampedArray | { readonly buffer: ArrayBufferLike };
  readonly width: number;
  readonly height: number;
}

/** A file: a `File` or `Blob`, bytes (also `Buffer`), or in Node a path or a `file:` URL. */
export type FileInput = Blob | ArrayBuffer | ArrayBufferView | string | URL;
/** A photo: a file, a canvas, `ImageData`, or an http(s) URL that the service fetches, if its operator allows that. */
export type PhotoInput = FileInput | CanvasLike | OffscreenCanvasLike | PixelsLike;
/** One photo, or several: an array, a `FileList` or any other iterable. */
export type PhotosInput = PhotoInput | Iterable<PhotoInput>;

const WEB = /^https?:/i;

/** Return one photo or several as an array. */
export function listOf(photos: PhotosInput): PhotoInput[] {
  return isIterable(photos) ? [...photos] : [photos];
}

function isIterable(photos: PhotosInput): photos is Iterable<PhotoInput> {
  return typeof photos === "object" && !ArrayBuffer.isView(photos) && Symbol.iterator in photos;
}

/** Return the URL that the service should fetch; null if the photo is sent. */
export function urlOf(photo: PhotoInput): string | null {
  if (typeof photo !== "string" && !(photo instanceof URL)) return null;
  return WEB.test(String(photo)) ? String(photo) : null;
}

/**
 * Return the content of a photo or another file.
 *
 * Throws a TypeError if its type is not supported here, and the error of the file system if a path cannot be read.
 */
export async function blobOf(file: PhotoInput): Promise<Blob> {
  if (file instanceof Blob) return file;
  if (typeof file === "string" || file instanceof URL) return opened(file);
  if (file instanceof ArrayBuffer || ArrayBuffer.isView(file)) return new Blob([file as BlobPart]);
  if ("convertToBlob" in file) return file.convertToBlob({ type: "image/png" });
  if ("toBlob" in file) return fromCanvas(file);
  if ("width" in file) return fromPixels(file);
  throw new TypeError("a photo is a Blob, bytes, a path, a URL, a canvas or ImageData");
}

/** Return a file of Node. No module of Node is imported, so that bundlers for browsers accept this file. */
async function opened(path: string | URL): Promise<Blob> {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const fs = process?.getBuiltinModule?.("node:fs");
  if (!fs) throw new TypeError(`only Node 20.16 or newer reads files: pass the content of ${path} instead`);
  const { openAsBlob, promises } = fs as Files;
  await promises.access(path); // its error names the path
  return openAsBlob(path);
}

interface Files {
  openAsBlob(path: string | URL): Promise<Blob>;
  promises: { access(path: string | URL): Promise<void> };
}

function fromCanvas(canvas: CanvasLike): Promise<Blob> {
  return new Promise((resolve, reject) => {
    const done = (blob: Blob | null) => (blob ? resolve(blob) : reject(new TypeError("the canvas is empty")));
    canvas.toBlob(done, "image/png");
  });
}

function fromPixels(pixels: PixelsLike): Promise<Blob> {
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  const context = canvas.getContext("2d");
  if (!context) throw new TypeError("this browser cannot draw");
  context.putImageData(pixels as ImageData, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
