/**
 * Which functions of the kernel wait for which kind of lock, by name. Names are those of 3.10 to 7.2 (kernel/locking/*.c, kernel/sched/
 * completion.c and wait_bit.c, mm/filemap.c); what the compiler appends to them (.constprop.0, .isra.0, .part.0) is cut off.
 */
import type { StackFrame } from "../../stack/frame.ts";
import type { LockKind } from "./lock.ts";

/** Scheduling itself: what stands below the function that waits. */
const SCHEDULING =
  /^(_*schedule(_timeout(_\w+)?|_preempt_disabled|_rtlock|_hrtimeout\w*|_idle)?|_*switch_to(_asm)?|io_schedule(_timeout|_prepare)?|rt_mutex_(pre_|post_)?schedule|bit_wait(_io|_timeout|_io_timeout)?|wait_bit_\w+)$/;

const WAITING: readonly (readonly [LockKind, RegExp])[] = [
  ["percpu_rwsem", /^_*percpu_(down|rwsem)_/],
  ["rt_mutex", /^(_*rt_(mutex|spin)_\w*lock\w*|rt_mutex_(wait|slow)\w*|_*rtlock_\w+|_*rwbase_\w+|_*rt_mutex_handle_deadlock)$/],
  ["mutex", /^_*(ww_)?mutex_lock(_\w+)?$/],
  ["rwsem", /^((call_)?rwsem_down_\w+|_*down_(read|write)(_(common|killable|interruptible|nested|killable_nested))?|_*rwsem_\w*slowpath)$/],
  ["semaphore", /^_*down(_common|_interruptible|_killable|_timeout)?$/],
  ["completion", /^(_*wait_for_completion(_\w+)?|(do_|_*)wait_for_common(_io)?)$/],
  [
    "folio",
    /^(_*folio_(wait|lock)_?\w*|wait_on_page_\w+|_*lock_page(_\w+)?|put_and_wait_on_page_locked|migration_entry_wait\w*|softleaf_entry_wait\w*)$/,
  ],
  ["bit", /^(_*wait_on_bit\w*|out_of_line_wait_on_\w+|_*wait_on_buffer|_*lock_buffer)$/],
];

/** A queued lock that somebody spins on. */
const SPINNING: readonly (readonly [LockKind, RegExp])[] = [
  ["rwlock", /^(native_)?queued_(read|write)_lock_slowpath$|^_raw_(read|write)_lock(_\w+)?$/],
  [
    "spinlock",
    /^((native_|__pv_)?queued_spin_lock_slowpath|__pv_queued_spin_lock_slowpath|kvm_wait|pv_wait_head_or_lock|_raw_spin_lock(_\w+)?|do_raw_spin_lock|__raw_spin_lock\w*)$/,
  ],
];

/** A function of the scheduler itself; also where nothing is known of a frame: what lies below the innermost one was saved by the switch. */
export function isScheduling(name: string | undefined): boolean {
  return name === undefined || SCHEDULING.test(plainName(name));
}

export function plainName(name: string): string {
  return name.replace(/\.(constprop|isra|part|cold|llvm|lto_priv)(\.\d+)?/g, "");
}

function kindOf(table: readonly (readonly [LockKind, RegExp])[], name: string): LockKind | undefined {
  return table.find(([, pattern]) => pattern.test(name))?.[0];
}

export interface WaitFrames {
  readonly kind: LockKind;
  /** Index of the innermost and of the outermost frame that waits; the caller is behind. */
  readonly first: number;
  readonly last: number;
}

/** The frames in which a sleeping task waits for a lock; undefined when it sleeps for another reason. */
export function waitFrames(frames: readonly StackFrame[]): WaitFrames | undefined {
  const name = (frame: StackFrame | undefined) => plainName(frame?.function ?? "");
  const first = frames.findIndex((frame) => !SCHEDULING.test(name(frame)));
  if (first < 0) return undefined;
  const kind = kindOf(WAITING, name(frames[first]));
  if (kind === undefined) return undefined;
  let last = first;
  while (last + 1 < frames.length && kindOf(WAITING, name(frames[last + 1])) !== undefined) last++;
  return { kind, first, last };
}

/** The frames in which a running task spins: the outermost lock function that an exception, or the dump itself, struck. */
export function spinFrames(frames: readonly StackFrame[]): WaitFrames | undefined {
  for (const [first, frame] of frames.entries()) {
    // Only where the CPU itself stood: every other frame of a call is where it will come back to.
    if (frame.kind !== "interrupted" && first !== 0) continue;
    const kind = kindOf(SPINNING, plainName(frame.function ?? ""));
    if (kind === undefined) continue;
    let last = first;
    while (last + 1 < frames.length && kindOf(SPINNING, plainName(frames[last + 1]?.function ?? "")) !== undefined) last++;
    return { kind, first, last };
  }
  return undefined;
}
