/** Names near a mistyped one: those that share its longest prefix. */

/** KSYM_NAME_LEN since 6.1 (b8a94bfb3395); types' names are shorter. */
const MAX_NAME = 512;
/** Shorter prefixes say nothing. */
const MIN_PREFIX = 3;

/**
 * The names that `find` has for the longest prefix of `name` (less than the whole name) for which it has any. A shorter prefix has all
 * that a longer one has, so the length is found by halving: a name may be as long as a file.
 */
export function namesOfLongestPrefix(name: string, find: (prefix: string) => readonly string[]): readonly string[] {
  let nearest: readonly string[] = [];
  let low = MIN_PREFIX;
  let high = Math.min(name.length - 1, MAX_NAME);
  while (low <= high) {
    const length = (low + high) >> 1;
    const found = find(name.slice(0, length));
    if (found.length > 0) {
      nearest = found;
      low = length + 1;
    } else high = length - 1;
  }
  return [...new Set(nearest)];
}
