/**
 * Task states: the bits of task_struct.__state and .exit_state, crash's two letters, ps(1)'s one letter, and full names.
 *
 * The values are those of 4.14 and later (8ef9925b02c2 moved PARKED, DEAD and those above them); TASK_RTLOCK_WAIT came with 5.16,
 * TASK_FREEZABLE and TASK_FROZEN with 6.1 (f5d39b020809). They are macros and no enum, so the dump itself does not name them.
 * The saved state of a frozen or lock-waiting task is not shown: what is shown is what the scheduler acts on.
 */

export const TASK_INTERRUPTIBLE = 0x1;
export const TASK_UNINTERRUPTIBLE = 0x2;
const TASK_STOPPED = 0x4;
const TASK_TRACED = 0x8;
const EXIT_DEAD = 0x10;
const EXIT_ZOMBIE = 0x20;
const TASK_PARKED = 0x40;
const TASK_DEAD = 0x80;
const TASK_WAKEKILL = 0x100;
const TASK_WAKING = 0x200;
const TASK_NOLOAD = 0x400;
const TASK_NEW = 0x800;
const TASK_RTLOCK_WAIT = 0x1000;
const TASK_FREEZABLE = 0x2000;
const TASK_FREEZABLE_UNSAFE = 0x4000;
const TASK_FROZEN = 0x8000;

const NAMES: readonly (readonly [number, string])[] = [
  [TASK_INTERRUPTIBLE, "TASK_INTERRUPTIBLE"],
  [TASK_UNINTERRUPTIBLE, "TASK_UNINTERRUPTIBLE"],
  [TASK_STOPPED, "TASK_STOPPED"],
  [TASK_TRACED, "TASK_TRACED"],
  [EXIT_DEAD, "EXIT_DEAD"],
  [EXIT_ZOMBIE, "EXIT_ZOMBIE"],
  [TASK_PARKED, "TASK_PARKED"],
  [TASK_DEAD, "TASK_DEAD"],
  [TASK_WAKEKILL, "TASK_WAKEKILL"],
  [TASK_WAKING, "TASK_WAKING"],
  [TASK_NOLOAD, "TASK_NOLOAD"],
  [TASK_NEW, "TASK_NEW"],
  [TASK_RTLOCK_WAIT, "TASK_RTLOCK_WAIT"],
  [TASK_FREEZABLE, "TASK_FREEZABLE"],
  [TASK_FREEZABLE_UNSAFE, "TASK_FREEZABLE_UNSAFE"],
  [TASK_FROZEN, "TASK_FROZEN"],
];

/** crash's letters, as `ps` and `foreach` use them; "??" for a value with no known meaning. */
export const STATE_LETTERS = ["RU", "IN", "UN", "ST", "ZO", "TR", "SW", "DE", "WA", "PA", "ID", "NE"] as const;

export type StateLetters = (typeof STATE_LETTERS)[number] | "??";

/** Two letters for a task, of both state words. */
export function stateLetters(state: number, exitState: number): StateLetters {
  if ((exitState & EXIT_ZOMBIE) !== 0) return "ZO";
  if ((exitState & EXIT_DEAD) !== 0) return "DE";
  if ((state & TASK_DEAD) !== 0) return "DE";
  if (state === 0) return "RU";
  if ((state & TASK_STOPPED) !== 0) return "ST";
  if ((state & TASK_TRACED) !== 0) return "TR";
  if ((state & TASK_PARKED) !== 0) return "PA";
  if ((state & TASK_NEW) !== 0) return "NE";
  if ((state & TASK_WAKING) !== 0) return "WA";
  if ((state & TASK_UNINTERRUPTIBLE) !== 0) return (state & TASK_NOLOAD) !== 0 ? "ID" : "UN";
  // The kernel reports both as uninterruptible (task_state_index()).
  if ((state & (TASK_RTLOCK_WAIT | TASK_FROZEN)) !== 0) return "UN";
  if ((state & TASK_INTERRUPTIBLE) !== 0) return "IN";
  return "??";
}

/** The letter that /proc/PID/stat and ps(1) show: R S D T t X Z P I. */
export function procLetter(state: number, exitState: number): string {
  const letters = stateLetters(state, exitState);
  const table: Record<StateLetters, string> = {
    RU: "R",
    IN: "S",
    UN: "D",
    ST: "T",
    TR: "t",
    ZO: "Z",
    DE: "X",
    PA: "P",
    ID: "I",
    NE: "R",
    WA: "R",
    SW: "D",
    "??": "?",
  };
  return table[letters];
}

/** Names of all bits: "TASK_RUNNING", "TASK_UNINTERRUPTIBLE|TASK_NOLOAD"; unknown bits in hex. */
export function stateNames(state: number, exitState: number): string {
  const bits = (state | exitState) >>> 0;
  if (bits === 0) return "TASK_RUNNING";
  const names: string[] = [];
  let rest = bits;
  for (const [bit, name] of NAMES) {
    if ((bits & bit) === 0) continue;
    names.push(name);
    rest &= ~bit;
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names.join("|");
}
