/** Names close to a mistyped one, for "nearest: …" in errors. */

/** Up to `limit` names within two edits of the word (one for short words), or starting with it; closest first. */
export function nearestNames(word: string, names: Iterable<string>, limit = 5): string[] {
  const allowed = word.length <= 3 ? 1 : 2;
  const found: { name: string; distance: number }[] = [];
  for (const name of names) {
    const distance = word.length >= 2 && name.startsWith(word) ? 0 : editDistance(word, name, allowed);
    if (distance <= allowed) found.push({ name, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return [...new Set(found.map((entry) => entry.name))].slice(0, limit);
}

/** Edits (insert, delete, replace, swap of neighbours) between two words; any number above `limit` stands for "more". */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit || a.length > 256 || b.length > 256) return limit + 1;
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((previous[j] as number) + 1, (row[j - 1] as number) + 1, (previous[j - 1] as number) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (older[j - 2] as number) + 1);
      row.push(best);
    }
    older = previous;
    previous = row;
  }
  return previous[b.length] as number;
}
