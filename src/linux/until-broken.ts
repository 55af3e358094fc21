/** Walks over damaged memory: what came before the damage is kept, the damage is told, and the caller goes on with the rest. */
import { InquestError } from "../bytes/errors.ts";

/**
 * The items of a walk up to where it throws.
 * @param broken told the error that ended it
 */
export function* untilBroken<T>(walk: Iterable<T>, broken: (error: InquestError) => void): Generator<T, void, undefined> {
  const iterator = walk[Symbol.iterator]();
  try {
    for (;;) {
      let next: IteratorResult<T>;
      try {
        next = iterator.next();
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        return broken(error);
      }
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    iterator.return?.();
  }
}

/** The answer of `read`, or undefined after telling why it cannot be had. */
export function unlessBroken<T>(read: () => T, broken: (error: InquestError) => void): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    broken(error);
    return undefined;
  }
}
