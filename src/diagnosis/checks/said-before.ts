/**
 * What the code that ended in BUG() said right before it: skb_panic() (net/core/skbuff.c), file systems and drivers print with pr_emerg() or
 * pr_crit() what is wrong, and the condition of their BUG() is none.
 *
 *   <0> skbuff: skb_over_panic: text:ffffffffc034a063 len:1938 put:489 …      ◄
 *   <4> ------------[ cut here ]------------
 *   <2> kernel BUG at net/core/skbuff.c:120!                                    the event
 */
import type { LogRecord } from "../../linux/log-record.ts";
import type { LogEvent } from "../subject/log-events.ts";

/** KERN_CRIT: what is less grave is no last word. */
const GRAVE = 2;
/** A slow console takes its time over a line; ns. */
const RIGHT_BEFORE = 100_000_000n;
const CUT_HERE = /^-+\[ cut here \]-+$/;

/** The last words before the event, of the same task or CPU; undefined when the record before it is somebody else's, or an ordinary one. */
export function saidBefore(records: readonly LogRecord[], event: LogEvent): string | undefined {
  const said = records[event.index];
  if (said === undefined || event.kind !== "bug") return undefined;
  let at = event.index - 1;
  if (CUT_HERE.test(records[at]?.text ?? "")) at--;
  const last = records[at];
  if (last === undefined || last.level > GRAVE || last.facility !== 0 || last.caller !== said.caller) return undefined;
  if (said.nanoseconds === undefined || last.nanoseconds === undefined) return undefined;
  const gap = said.nanoseconds - last.nanoseconds;
  return gap < 0n || gap > RIGHT_BEFORE ? undefined : last.text.split("\n", 1)[0];
}
