// Rules and shares, without a page: what ops/curation/audit/retention.py and precision.py say, in the browser.

const Z = 1.959963984540054;
export const KEPT = "kept";
export const UNMEASURED = "unmeasured";

/** The step that rejects a row under these limits, `kept` or `unmeasured`.
 *  row: [seconds, settled step or null, score or null of each step of `scored`]. */
export function outcome(row, limits, steps, scored) {
  const settled = row[1];
  if (settled !== null && !steps.includes(settled)) return settled;
  for (const step of steps) {
    if (step === settled) return step;
    const column = scored.indexOf(step), deciding = limits.filter((limit) => limit.steps.includes(step));
    if (column < 0 || !deciding.length) continue;
    const score = row[2 + column];
    if (score === null) return UNMEASURED;
    if (deciding.some((limit) => beyond(score, limit))) return step;
  }
  return KEPT;
}

export function beyond(score, limit) {
  return limit.bound === "minimum" ? score < limit.value : score > limit.value;
}

/** {clips: {outcome: count}, seconds: {outcome: seconds}} over all rows. */
export function retention(rows, limits, steps, scored) {
  const clips = {}, seconds = {};
  for (const row of rows) {
    const found = outcome(row, limits, steps, scored);
    clips[found] = (clips[found] ?? 0) + 1;
    seconds[found] = (seconds[found] ?? 0) + row[0];
  }
  return {clips, seconds};
}

/** [low, high] of the 95 % interval of a share; counts may be fractions. */
export function wilson(right, judged) {
  const share = right / judged, square = Z * Z;
  const middle = (share + square / (2 * judged)) / (1 + square / judged);
  const spread = Math.sqrt((share * (1 - share)) / judged + square / (4 * judged ** 2));
  const half = (Z * spread) / (1 + square / judged);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** {right, judged, share, low, high} from [weight, whether the filter was right] of each judged clip. */
export function estimate(pairs) {
  if (!pairs.length) return {right: 0, judged: 0, share: null, low: null, high: null};
  let total = 0, agreed = 0, squares = 0, right = 0;
  for (const [weight, agrees] of pairs) {
    total += weight;
    squares += weight ** 2;
    if (agrees) {
      agreed += weight;
      right += 1;
    }
  }
  const share = agreed / total, effective = total ** 2 / squares;
  const [low, high] = wilson(Math.min(1, share) * effective, effective);
  return {right, judged: pairs.length, share, low, high};
}

/** How many clips of the table a judged clip of each stratum stands for. */
export function weights(sizes, names) {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, sizes[name] / count]));
}
