/** The numbered results of `p` in one session: `$1`, `$2`, …; `$` is the last. */
import type { Value } from "../../kernel/value.ts";

/** Results that are kept for `$N`; the numbers go on. */
const MAX_KEPT = 100_000;

export interface ValueHistory {
  readonly values: readonly Value[];
  /** Adds a result and returns its number. */
  add(value: Value): number;
}

const histories = new WeakMap<object, ValueHistory>();

/** The history that belongs to a session. */
export function valueHistory(session: object): ValueHistory {
  let history = histories.get(session);
  if (history === undefined) {
    const values: Value[] = [];
    let count = 0;
    history = {
      values,
      add(value) {
        if (values.length < MAX_KEPT) values.push(value);
        return ++count;
      },
    };
    histories.set(session, history);
  }
  return history;
}
