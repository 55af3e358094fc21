/** crash's block of x86-64 registers. */
import type { BtRegisters } from "./result.ts";

type Namer = (place: { readonly function: string | null; readonly offset: number | null } | undefined) => string;

const ROWS = [
  ["RAX", "RBX", "RCX"],
  ["RDX", "RSI", "RDI"],
  ["RBP", "R8", "R9"],
  ["R10", "R11", "R12"],
  ["R13", "R14", "R15"],
] as const;

/** The exception's pc by name (kernel mode only), then the registers; one that was not saved shows as dashes. */
export function* x86Registers(frame: BtRegisters, name: Namer): Iterable<string> {
  const value = (register: string, width = 16) => {
    const word = frame.registers[register.toLowerCase()];
    return word === undefined ? "-".repeat(width) : word.toString(16).padStart(width, "0");
  };
  if (!frame.user) yield `    [exception RIP: ${name(frame)}]`;
  yield `    RIP: ${value("RIP")}  RSP: ${value("RSP")}  RFLAGS: ${value("RFLAGS", 8)}`;
  for (const row of ROWS) yield `    ${row.map((register) => `${register.padStart(3)}: ${value(register)}`).join("  ")}`;
  yield `    ORIG_RAX: ${value("ORIG_RAX")}  CS: ${value("CS", 4)}  SS: ${value("SS", 4)}`;
}
