/** CSV files for spreadsheets. */

const FORMULA = /^[=+\-@\t\r]/; // a spreadsheet would run it

/**
 * @param {string[][]} rows
 * @returns {Blob} UTF-8 with a mark, so that Excel reads it
 */
export function csv(rows) {
  const cell = (/** @type {string} */ text) => `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  return new Blob(["\ufeff", ...rows.map((row) => `${row.map(cell).join(",")}\r\n`)], { type: "text/csv" });
}

/** Let the browser save a file. */
export function save(/** @type {Blob} */ file, /** @type {string} */ name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
