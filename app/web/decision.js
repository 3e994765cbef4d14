/** Decisions by a threshold (pure functions); the service's own decision is in its answers. */

/**
 * Decide as the service does with an explicit threshold. If faces of one photo have the same first candidate, only the
 * most similar one can match.
 *
 * @param {any[]} faces of an answer of /identify
 * @param {number} threshold
 * @returns {("match" | "unknown")[]}
 */
export function decide(faces, threshold) {
  const best = new Map();
  faces.forEach((face, at) => {
    const first = face.candidates[0];
    if (!first || first.similarity < threshold) return;
    const rival = best.get(first.identity_id);
    if (rival === undefined || faces[rival].candidates[0].similarity < first.similarity) best.set(first.identity_id, at);
  });
  const winners = new Set(best.values());
  return faces.map((_, at) => (winners.has(at) ? "match" : "unknown"));
}

/** @typedef {{similarity: number, fmr: number, fmr_range: number[], fpir: number, fpir_range: number[], fitted_fmr?: number | null, fitted_fpir?: number | null}} Point */

/**
 * @param {Point[]} points by similarity
 * @param {number} similarity
 * @returns {Omit<Point, "similarity"> | null} interpolated on a logarithmic scale; null without points
 */
export function ratesAt(points, similarity) {
  if (!points.length) return null;
  const after = points.findIndex((each) => each.similarity >= similarity);
  if (after <= 0) return after === 0 ? points[0] : points[points.length - 1];
  const [low, high] = [points[after - 1], points[after]];
  const part = (similarity - low.similarity) / (high.similarity - low.similarity);
  const between = (/** @type {number} */ one, /** @type {number} */ other) => (one && other ? Math.exp(Math.log(one) * (1 - part) + Math.log(other) * part) : 0);
  const range = (/** @type {"fmr_range" | "fpir_range"} */ name) => low[name].map((each, side) => between(each, high[name][side]));
  return { fmr: between(low.fmr, high.fmr), fmr_range: range("fmr_range"), fpir: between(low.fpir, high.fpir), fpir_range: range("fpir_range") };
}
