/**
 * The bits of a task's state as this kernel has them, made into those of 4.14 and later. They are macros and in no type information; the
 * kernel's own table of their names, which /proc/PID/status prints, tells their order (fs/proc/array.c):
 *
 *   task_state_array[]   entry 0 is "R (running)", entry n the state of bit n − 1
 *   3.10    S D T t Z X x K W P        EXIT_ZOMBIE 16, EXIT_DEAD 32, TASK_DEAD 64, WAKEKILL 128, WAKING 256, PARKED 512
 *   3.14    S D T t X Z                EXIT_DEAD 16, EXIT_ZOMBIE 32 (ad86622b478e); the others as before, without names (74e37200de8e)
 *   4.14    S D T t X Z P I            PARKED 64, TASK_DEAD 128, WAKEKILL 256, WAKING 512             (8ef9925b02c2)
 */
import { add, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

export interface StateBits {
  state(raw: number): number;
  exitState(raw: number): number;
}

const AS_IT_IS: StateBits = { state: (raw) => raw, exitState: (raw) => raw };

/** Today's bit by the letter. */
const BITS: Readonly<Record<string, number>> = { S: 0x1, D: 0x2, T: 0x4, t: 0x8, X: 0x10, Z: 0x20 };
/** What stood from bit 6 on: TASK_DEAD, WAKEKILL, WAKING, PARKED, NOLOAD (4.2), NEW (4.8). */
const UNNAMED = [0x80, 0x100, 0x200, 0x40, 0x400, 0x800];
/** No state word has had more. */
const MAX_NAMES = 20;

/** How this kernel's state words are to be read; once per dump. */
export function stateBits(kernel: Kernel): StateBits {
  return kernel.memo(stateBits, () => {
    const letters = stateLettersOf(kernel);
    const named = letters.slice(0, 6);
    // Bit 6 is PARKED now; before it was TASK_DEAD, "x (dead)" or without a name. No table: nothing says that the kernel is that old.
    if (named.length < 6 || letters[6] === "P") return AS_IT_IS;
    const order = [...named.map((letter) => BITS[letter] ?? 0), ...UNNAMED];
    const translate = (raw: number): number => {
      let bits = 0;
      for (const [i, bit] of order.entries()) if ((raw >> i) & 1) bits |= bit;
      return bits >>> 0;
    };
    return { state: translate, exitState: translate };
  });
}

/** First letters of the names of bits 0, 1, …; empty when the table is not among the symbols. */
function stateLettersOf(kernel: Kernel): readonly string[] {
  const table = kernel.tryAddress("task_state_array");
  const letters: string[] = [];
  for (let i = 1; table !== undefined && i < MAX_NAMES; i++) {
    const name = kernel.memory.tryU64(add(table, i * 8));
    if (name === undefined || kernel.memory.tryBytes(virtual(name), 4) === undefined) break;
    // "S (sleeping)": what follows the table is no such text.
    const letter = /^([A-Za-z]) \(/.exec(kernel.memory.cString(virtual(name), 32))?.[1];
    if (letter === undefined) break;
    letters.push(letter);
  }
  return letters;
}
