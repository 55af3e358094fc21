/** crash's block of arm64 registers: kernel mode names pc and lr, user mode has them on one line and the system call at the end. */
import type { BtRegisters } from "./result.ts";

type Namer = (place: { readonly function: string | null; readonly offset: number | null } | undefined) => string;

export function* arm64Registers(frame: BtRegisters, name: Namer): Iterable<string> {
  const word = (register: string, width = 16) => {
    const value = frame.registers[register];
    return value === undefined ? "-".repeat(width) : value.toString(16).padStart(width, "0");
  };
  if (frame.user) {
    yield `     PC: ${word("pc")}   LR: ${word("x30")}   SP: ${word("sp")}`;
  } else {
    yield `     PC: ${word("pc")}  [${name(frame)}]`;
    yield `     LR: ${word("x30")}  [${name(frame.link)}]`;
    yield `     SP: ${word("sp")}  PSTATE: ${word("pstate", 8)}`;
  }
  for (let first = 29; first >= 2; first -= 3) {
    yield `    ${[first, first - 1, first - 2].map((i) => `${`X${i}`.padStart(3)}: ${word(`x${i}`)}`).join("  ")}`;
  }
  if (frame.user) {
    const call = frame.registers.syscallno;
    const number = call === undefined ? "-" : BigInt.asUintN(32, call).toString(16);
    yield `    ORIG_X0: ${word("orig_x0")}  SYSCALLNO: ${number}  PSTATE: ${word("pstate", 8)}`;
  }
}
