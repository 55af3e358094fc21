/**
 * Registers of a frame by gdb's names: `$rip`, `$x19`, `$pc`, `$sp`, `$fp`, and the narrow parts of general registers.
 *
 *   rax ─ eax ─ ax ─ al, ah      r8 ─ r8d ─ r8w ─ r8l      x0 ─ w0
 *
 * A register has gdb's type: the program counter is a pointer to code, stack and frame pointer of x86-64 and sp of arm64 are pointers.
 */
import type { RegisterSet } from "../../arch/registers.ts";
import { LookupError } from "../../bytes/errors.ts";
import type { CType, IntType } from "../../debug-info/c-type.ts";
import type { Kernel } from "../kernel.ts";
import { Value } from "../value.ts";
import { CHAR, INT, INT16, LONG, pointerTo, VOID } from "./values.ts";

/** What an expression wants of a frame. */
export interface RegisterFrame {
  readonly level: number;
  readonly registers: RegisterSet;
}

interface Part {
  /** The full register. */
  readonly full: string;
  readonly shift: number;
  readonly type: IntType;
}

const LEGACY = ["ax", "bx", "cx", "dx", "si", "di", "bp", "sp"];

/** The register that a name is a part of; undefined for names of whole ones. */
function partOf(machine: Kernel["arch"]["name"], name: string): Part | undefined {
  if (machine === "aarch64") {
    const narrow = /^w(\d+)$/.exec(name);
    return narrow === null ? undefined : { full: `x${narrow[1]}`, shift: 0, type: INT };
  }
  const numbered = /^(r\d+)([dwl])$/.exec(name);
  if (numbered !== null) {
    const type = numbered[2] === "d" ? INT : numbered[2] === "w" ? INT16 : CHAR;
    return { full: numbered[1] as string, shift: 0, type };
  }
  const wide = LEGACY.find((each) => name === each || name === `e${each}`);
  if (wide !== undefined && name !== "sp") return { full: `r${wide}`, shift: 0, type: name === wide ? INT16 : INT };
  const byte = /^([abcd])([lh])$/.exec(name);
  if (byte !== null) return { full: `r${byte[1]}x`, shift: byte[2] === "h" ? 8 : 0, type: CHAR };
  return undefined;
}

/** gdb's other names. */
const ALIASES: Readonly<Record<string, string>> = { eflags: "rflags", cpsr: "pstate", lr: "x30" };

/**
 * A register's value; undefined when the machine has no register of that name. Throws LookupError when the frame does not know it.
 * @param frameOf called only for names of registers
 */
export function registerValue(kernel: Kernel, name: string, frameOf: () => RegisterFrame): Value | undefined {
  const part = partOf(kernel.arch.name, name);
  if (!isRegisterName(kernel.arch.name, part?.full ?? name)) return undefined;
  const { level, registers } = frameOf();
  const { file } = registers;
  const roles: Readonly<Record<string, number>> = { pc: file.pc, sp: file.sp, fp: file.fp };
  const full = part?.full ?? name;
  const number = roles[full] ?? file.names.indexOf(ALIASES[full] ?? full);
  const value = number < 0 ? undefined : registers.get(number);
  if (value === undefined) throw new LookupError(`register ${name} is not known in frame ${level}${hint(registers, number)}`);
  const type = part?.type ?? typeOf(kernel.arch.name, registers, number);
  const cut = part === undefined ? value : BigInt.asIntN(part.type.size * 8, value >> BigInt(part.shift));
  return new Value(kernel.memory, type, { immediate: type === LONG ? BigInt.asIntN(64, cut) : cut });
}

function hint({ file }: RegisterSet, number: number): string {
  if (number < 0 || number === file.pc || number === file.sp || file.calleeSaved.includes(number)) return "";
  return ": functions do not keep it over a call";
}

const X86_NAME = /^(r(ax|bx|cx|dx|si|di|bp|sp|ip|flags|[89]|1[0-5])|eflags|cs|ss|orig_rax|pc|sp|fp)$/;
const ARM64_NAME = /^(x([12]?\d|30)|pstate|cpsr|lr|pc|sp|fp|orig_x0|syscallno)$/;

function isRegisterName(machine: Kernel["arch"]["name"], name: string): boolean {
  return (machine === "aarch64" ? ARM64_NAME : X86_NAME).test(name);
}

function typeOf(machine: Kernel["arch"]["name"], { file }: RegisterSet, number: number): CType {
  if (number === file.pc) return pointerTo({ kind: "function", returns: VOID, parameters: [], variadic: false, prototyped: false });
  if (number === file.sp || (machine === "x86_64" && number === file.fp)) return pointerTo(VOID);
  return LONG;
}
