/** The order of a table's rows by an address, for tables that are sorted once at every start of the program. */

/**
 * Indexes in ascending order of their keys, which are whole numbers; equal keys keep their order. A comparison function costs 20 ms for the
 * functions of a kernel; where keys and indexes fit one double together (a kernel's text is below 2^30 long), the engine sorts plain numbers.
 */
export function sortedOrder(keys: ArrayLike<number>): Float64Array {
  const { length } = keys;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < length; i++) {
    const key = keys[i]!;
    if (key < least) least = key;
    if (key > most) most = key;
  }
  const indexes = new Float64Array(length);
  // Two bits are left over, so that the division below cannot round up to the next key.
  const fits = (most - least + 1) * length <= 2 ** 51;
  for (let i = 0; i < length; i++) indexes[i] = fits ? (keys[i]! - least) * length + i : i;
  if (!fits) return indexes.sort((a, b) => keys[a]! - keys[b]! || a - b);
  indexes.sort();
  for (let i = 0; i < length; i++) indexes[i] = indexes[i]! - Math.floor(indexes[i]! / length) * length;
  return indexes;
}
