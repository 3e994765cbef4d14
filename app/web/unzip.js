/** The photos in a ZIP file on this machine, for the preview and for thumbnails; the service reads the ZIP by itself. */

const LONGEST_END = 65_557; // the end of the directory, with the longest comment
const MOST_32 = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;

/** @typedef {{path: string, blob: () => Promise<Blob>}} Packed */

/**
 * @param {Blob} zip
 * @returns {Promise<Packed[] | null>} null if it cannot be read here
 */
export async function entriesOf(zip) {
  try {
    const { at, size } = await directoryOf(zip);
    return parsed(zip, new DataView(await zip.slice(at, at + size).arrayBuffer()));
  } catch {
    return null;
  }
}

async function directoryOf(/** @type {Blob} */ zip) {
  const start = Math.max(zip.size - LONGEST_END, 0);
  const tail = new DataView(await zip.slice(start).arrayBuffer());
  let end = tail.byteLength - 22;
  while (tail.getUint32(end, true) !== 0x06054b50) end--;
  const [size, at] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  if (at !== MOST_32 && size !== MOST_32) return { at, size };
  const far = Number(tail.getBigUint64(end - 20 + 8, true)); // ZIP64: its locator stands before the end
  const end64 = new DataView(await zip.slice(far, far + 56).arrayBuffer());
  return { size: Number(end64.getBigUint64(40, true)), at: Number(end64.getBigUint64(48, true)) };
}

function parsed(/** @type {Blob} */ zip, /** @type {DataView} */ view) {
  const found = [];
  let at = 0;
  while (at < view.byteLength) {
    const [flags, method, size] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const [name, extra, comment] = [28, 30, 32].map((each) => view.getUint16(at + each, true));
    const offset = view.getUint32(at + 42, true);
    const path = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, name)).replaceAll("\\", "/");
    const isReadable = !(flags & 1) && offset !== MOST_32 && size !== MOST_32;
    if (!path.endsWith("/")) found.push({ path, blob: async () => (isReadable ? unpacked(zip, offset, size, method) : new Blob()) });
    at += 46 + name + extra + comment;
  }
  return found;
}

async function unpacked(/** @type {Blob} */ zip, /** @type {number} */ offset, /** @type {number} */ size, /** @type {number} */ method) {
  const head = new DataView(await zip.slice(offset, offset + 30).arrayBuffer());
  const start = offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const data = zip.slice(start, start + size);
  if (method === STORED) return data;
  if (method !== DEFLATED) return new Blob();
  return new Response(data.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
}
