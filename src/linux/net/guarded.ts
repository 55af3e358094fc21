/**
 * Reading of structures that may be damaged: what cannot be read becomes a line in `notes`, and the rest goes on.
 */
import { InquestError } from "../../bytes/errors.ts";

/** Notes of one listing; a damaged table of a million entries must not fill memory with complaints. */
const MAX_NOTES = 1000;

/** Adds a line unless the listing has said enough. */
export function tell(notes: string[], line: string): void {
  if (notes.length < MAX_NOTES) notes.push(line);
  else if (notes.length === MAX_NOTES) notes.push("more was found damaged than is told here");
}

/** What `read` answers; undefined and a note when it fails with an InquestError. */
export function guarded<T>(notes: string[], what: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    tell(notes, `${what}: ${error.message}`);
    return undefined;
  }
}

/** Yields what the walk yields; where it breaks, a note stands for the rest. */
export function* guardedWalk<T>(notes: string[], what: string, walk: () => Iterable<T>): Generator<T, void, undefined> {
  try {
    yield* walk();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    tell(notes, `${what}: ${error.message}`);
  }
}
