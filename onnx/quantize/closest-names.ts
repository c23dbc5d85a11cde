/** Names that are suggested for one that does not exist. */
const SUGGESTIONS = 3;

/**
 * Returns the known names that look most like one that is not known: few edits away, or with it as a part.
 *
 * @returns At most three, the closest first; none if nothing is similar.
 */
export function closestTo(name: string, known: Iterable<string>): string[] {
  const lower = name.toLowerCase();
  return [...known]
    .filter((candidate) => candidate !== '')
    .map((candidate) => ({ candidate, distance: distanceBetween(lower, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(2, name.length / 3))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map(({ candidate }) => candidate);
}

/** Edits from one name to the other; one edit if one of them is a part of the other, such as a path without its root. */
function distanceBetween(a: string, b: string): number {
  if (a.length >= 2 && (b.includes(a) || (b.length >= 2 && a.includes(b)))) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
