/**
 * ESR_EL1 of arm64 in words (Arm ARM DDI 0487, "ESR_EL1, Exception Syndrome Register"): exception class in bits 31:26, and for aborts
 * WnR in bit 6 and the fault status in bits 5:0.
 */
import type { Access } from "../verdict.ts";

export interface EsrFault {
  /** "data abort", "BRK instruction" … */
  readonly event: string;
  readonly access: Access["kind"];
  /** One phrase: "data abort, read, level 0 translation fault". */
  readonly reason: string;
}

const CLASSES: Readonly<Record<number, string>> = {
  0: "unknown instruction",
  7: "SVE or floating point access",
  13: "branch target exception",
  14: "illegal execution state",
  28: "pointer authentication failure",
  32: "instruction abort from user mode",
  33: "instruction abort",
  34: "pc alignment fault",
  36: "data abort from user mode",
  37: "data abort",
  38: "sp alignment fault",
  47: "SError interrupt",
  48: "breakpoint",
  50: "single step",
  52: "watchpoint",
  60: "BRK instruction",
};

/** Words of a fault status code (DFSC/IFSC). */
function status(code: number): string {
  const level = code & 3;
  if (code <= 3) return `level ${level} address size fault`;
  if (code <= 7) return `level ${level} translation fault`;
  if (code <= 11) return `level ${level} access flag fault`;
  if (code <= 15) return `level ${level} permission fault`;
  if (code === 16) return "synchronous external abort";
  if (code === 17) return "tag check fault";
  if (code >= 20 && code <= 23) return `level ${level} external abort on a table walk`;
  if (code === 24) return "parity or ECC error";
  if (code >= 28 && code <= 31) return `level ${level} parity or ECC error on a table walk`;
  if (code === 33) return "alignment fault";
  if (code === 48) return "TLB conflict abort";
  return `fault status 0x${code.toString(16)}`;
}

/** A data or instruction abort, of either level. */
export function isAbort(esr: bigint): boolean {
  return [0x20, 0x21, 0x24, 0x25].includes(Number(esr & 0xffff_ffffn) >>> 26);
}

export function faultOfEsr(esr: bigint): EsrFault {
  const value = Number(esr & 0xffff_ffffn);
  const kind = value >>> 26;
  const event = CLASSES[kind] ?? `exception class 0x${kind.toString(16)}`;
  if (kind === 0x24 || kind === 0x25) {
    const access = (value & 0x40) !== 0 ? "write" : "read";
    return { event, access, reason: `${event}, ${access}, ${status(value & 0x3f)}` };
  }
  if (kind === 0x20 || kind === 0x21) return { event, access: "execute", reason: `${event}, ${status(value & 0x3f)}` };
  return { event, access: "unknown", reason: event };
}
