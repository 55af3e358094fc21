/**
 * What the CPU tells of an exception: x86-64's page-fault error code, arm64's exception syndrome.
 *
 *   x86-64   bit 0 present, 1 write, 2 user mode, 3 reserved bit, 4 instruction fetch, 5 protection key     SDM volume 3, 4.7
 *   arm64    ESR: class 31–26, syndrome 24–0: WnR bit 6, FnV bit 10, fault status 5–0                       Arm ARM, D24.2.40
 */

export interface ExceptionFacts {
  readonly access: "read" | "write" | "execute" | "unknown";
  /** The page was mapped, and did not allow it. undefined: the code does not say. */
  readonly present: boolean | undefined;
  /** Taken from user mode. */
  readonly user: boolean;
  /** arm64: the fault address register holds nothing (FnV). */
  readonly noAddress: boolean;
  /** "write to a page that is not mapped". */
  readonly text: string;
}

const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;
const RESERVED = 8n;
const FETCH = 16n;
const KEY = 32n;

/** Of a page fault's error code. */
export function x86PageFault(code: bigint): ExceptionFacts {
  const access = (code & FETCH) !== 0n ? "execute" : (code & WRITE) !== 0n ? "write" : "read";
  const present = (code & PRESENT) !== 0n;
  const why =
    (code & RESERVED) !== 0n
      ? "a page table with reserved bits set"
      : (code & KEY) !== 0n
        ? "a page that its protection key closes"
        : present
          ? "a page that does not allow it"
          : "a page that is not mapped";
  return { access, present, user: (code & USER) !== 0n, noAddress: false, text: `${VERB[access]} ${why}` };
}

const VERB = { read: "read of", write: "write to", execute: "execution of", unknown: "access to" } as const;

/** Exception classes of the syndrome register. */
const INSTRUCTION_ABORTS = [0x20, 0x21];
const DATA_ABORTS = [0x24, 0x25];
const CLASSES: Readonly<Record<number, string>> = {
  0: "an unknown instruction",
  13: "a branch to code that is no target (BTI)",
  14: "an illegal execution state",
  28: "a pointer whose authentication failed",
  34: "an unaligned program counter",
  38: "an unaligned stack pointer",
  47: "a system error (SError)",
  60: "a breakpoint instruction (BUG, WARN, KASAN)",
};

/** Of ESR_EL1. */
export function arm64Syndrome(esr: bigint): ExceptionFacts {
  const kind = Number((esr >> 26n) & 0x3fn);
  const status = Number(esr & 0x3fn);
  const isFetch = INSTRUCTION_ABORTS.includes(kind);
  if (!isFetch && !DATA_ABORTS.includes(kind)) {
    const text = CLASSES[kind] ?? `exception class 0x${kind.toString(16)}`;
    return { access: kind === 13 ? "execute" : "unknown", present: undefined, user: false, noAddress: true, text };
  }
  // Cache maintenance counts as a write (CM, bit 8): what it did is not told.
  const access = isFetch ? "execute" : (esr & 0x100n) !== 0n ? "unknown" : (esr & 0x40n) !== 0n ? "write" : "read";
  const { present, why } = faultStatus(status);
  return { access, present, user: (kind & 1) === 0, noAddress: (esr & 0x400n) !== 0n, text: `${VERB[access]} ${why}` };
}

function faultStatus(status: number): { readonly present: boolean | undefined; readonly why: string } {
  if (status >= 0x04 && status <= 0x07) return { present: false, why: "a page that is not mapped" };
  if (status >= 0x08 && status <= 0x0b) return { present: true, why: "a page whose access flag is off" };
  if (status >= 0x0c && status <= 0x0f) return { present: true, why: "a page that does not allow it" };
  if (status === 0x10) return { present: true, why: "memory that answered with an error (external abort)" };
  if (status === 0x11) return { present: true, why: "memory whose tag does not match the pointer's" };
  if (status === 0x18) return { present: true, why: "memory with an uncorrectable error (ECC)" };
  if (status === 0x21) return { present: undefined, why: "an address that is not aligned" };
  if (status < 4) return { present: false, why: "an address beyond what the tables can map" };
  return { present: undefined, why: `memory (fault status 0x${status.toString(16)})` };
}
