/** What a call found, and what it could not read: damage never ends an answer, and is never hidden. */

/** An array, with one line in `notes` for each thing that could not be read. JSON has the array alone. */
export type Found<T> = readonly T[] & {
  /** What could not be read, one line each; empty on an undamaged dump. */
  readonly notes: readonly string[];
};

/** @param notes complete only when the items have been pulled, which happens here */
export function found<T>(items: Iterable<T>, notes: readonly string[] = []): Found<T> {
  return Object.assign([...items], { notes });
}
