/**
 * How a listing survives damage: a walk that breaks keeps what came before it, a value that cannot be read leaves a hole, and both tell
 * why in one line of the listing's notes.
 */
import { InquestError } from "../bytes/errors.ts";

/** More lines than anyone reads; the rest is counted. */
const MAX_NOTES = 64;

/**
 * What a walk yields until it ends or breaks; a break becomes a note "WHAT: why".
 * @param limit most items to take; taking them all is told
 */
export function gather<T>(walk: Iterable<T>, notes: string[], what: string, limit = 1 << 20): T[] {
  const found: T[] = [];
  try {
    for (const item of walk) {
      if (found.length >= limit) {
        addNote(notes, `${what}: cut after ${limit} entries`);
        break;
      }
      found.push(item);
    }
  } catch (error) {
    tell(error, notes, what);
  }
  return found;
}

/** The value, or undefined and a note "WHAT: why" when it cannot be read. */
export function attempt<T>(read: () => T, notes: string[], what: string): T | undefined {
  try {
    return read();
  } catch (error) {
    tell(error, notes, what);
    return undefined;
  }
}

/**
 * Reads a part with notes of its own, which then join the others: tells whether the part is whole, so that an empty list of a part that
 * could not be read is not taken for one that is empty.
 */
export function part<T>(notes: string[], read: (own: string[]) => T): { readonly value: T; readonly whole: boolean } {
  const own: string[] = [];
  const value = read(own);
  for (const line of own) addNote(notes, line);
  return { value, whole: own.length === 0 };
}

/** Adds a line once; beyond 64 lines only that there are more is told. */
export function addNote(notes: string[], line: string): void {
  if (notes.length < MAX_NOTES) {
    if (!notes.includes(line)) notes.push(line);
  } else if (notes.length === MAX_NOTES) notes.push("more places are damaged, and not listed");
}

function tell(error: unknown, notes: string[], what: string): void {
  if (!(error instanceof InquestError)) throw error;
  addNote(notes, `${what}: ${error.message}`);
}
