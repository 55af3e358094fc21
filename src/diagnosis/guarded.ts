/** What damaged memory defeats is left out: one item, never the whole. */
import { InquestError } from "../bytes/errors.ts";

/** undefined when memory is damaged or missing. */
export function guarded<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
