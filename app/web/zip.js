/** ZIP files as a Blob that refers to the files in it: nothing is compressed, and their content is not held in memory. */

const UTF8_NAMES = 0x800;
const STORED_IN_1980 = [0, 0, 0x21]; // method, time, date: equal files give equal bytes, so that an upload can continue
const PIECE = 4_194_304; // bytes in memory at once; a stream costs 2 ms for each file
const MOST_16 = 0xffff;
const MOST_32 = 0xffffffff;

/** @typedef {{path: string, file: Blob}} Entry */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * @param {Uint8Array} data
 * @param {number} [before] the CRC-32 of the bytes before
 */
export function crc32(data, before = 0) {
  let crc = ~before;
  for (let at = 0; at < data.length; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ data[at]) & 0xff];
  return ~crc >>> 0;
}

/**
 * @param {Entry[]} entries each below 4 GB
 * @param {(bytes: number) => void} [onProgress] bytes that were read
 * @param {AbortSignal} [signal]
 * @returns {Promise<Blob>} ZIP64 if it has more than 65,535 files or 4 GB
 */
export async function zipped(entries, onProgress = () => {}, signal) {
  /** @type {BlobPart[]} */
  const parts = [];
  const directory = [];
  let offset = 0;
  let read = 0;
  for (const { path, file } of entries) {
    let crc = 0;
    for await (const data of pieces(file)) {
      signal?.throwIfAborted();
      crc = crc32(data, crc);
      onProgress((read += data.length));
    }
    const name = new TextEncoder().encode(path);
    const about = [[2, UTF8_NAMES], ...STORED_IN_1980.map((each) => [2, each]), [4, crc], [4, file.size], [4, file.size], [2, name.length]];
    parts.push(packed([4, 0x04034b50], [2, 45], ...about, [2, 0]), name, file);
    const isFar = offset >= MOST_32;
    directory.push(packed([4, 0x02014b50], [2, 45], [2, 45], ...about, [2, isFar ? 12 : 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, isFar ? MOST_32 : offset]), name);
    if (isFar) directory.push(packed([2, 1], [2, 8], [8, offset]));
    offset += 30 + name.length + file.size;
  }
  const size = directory.reduce((sum, each) => sum + each.length, 0);
  return new Blob([...parts, ...directory, ...ending(entries.length, size, offset)]);
}

function ending(/** @type {number} */ count, /** @type {number} */ size, /** @type {number} */ offset) {
  const end = packed([4, 0x06054b50], [2, 0], [2, 0], ...[count, count].map((each) => [2, Math.min(each, MOST_16)]), [4, Math.min(size, MOST_32)], [4, Math.min(offset, MOST_32)], [2, 0]);
  if (count < MOST_16 && size < MOST_32 && offset < MOST_32) return [end];
  const end64 = packed([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, size], [8, offset]);
  return [end64, packed([4, 0x07064b50], [4, 0], [8, offset + size], [4, 1]), end];
}

/** Little-endian bytes of numbers: `[size, value]`. */
function packed(/** @type {number[][]} */ ...fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else if (size === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

async function* pieces(/** @type {Blob} */ file) {
  for (let at = 0; at < file.size; at += PIECE) yield new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
}
