/**
 * Where the address of the faulting access came from, by the instructions before it in "Code:".
 *
 *   Code: … 48 8b 87 40 08 00 00 | 48 85 c0 | 0f 84 … | <48> 8b 38
 *           mov 0x840(%rdi),%rax   test       je        mov (%rax),%rdi      ─►  rax was loaded from rdi+0x840
 *
 * Bytes of x86 can be cut anywhere, so they are decoded from each of the first places; only what all ways that meet the pc say of the last
 * write is believed, and only when nothing in between may change the base or is reached from elsewhere (a jump forward over it).
 */
import type { DecodedInstruction, Disassembler, MemoryOperand } from "../../arch/disassembler.ts";
import { virtual } from "../../bytes/address.ts";
import type { LogReport } from "./report.ts";

export interface CodeOrigin {
  /** Register whose value is explained, and the value. */
  readonly register: string;
  readonly value: bigint;
  /** "rdi+0x840", and the address when the base still holds what it held then. */
  readonly formula: string;
  readonly base: string;
  readonly address?: bigint;
}

const LONGEST = 15;
/** Bytes after which decoding from a wrong place has met the right one. */
const SETTLED = 28;
/** Where the bytes lie does not matter here. */
const SOMEWHERE = 0x1_0000_0000n;

/** undefined when the bytes do not tell. */
export function codeOrigin(report: LogReport, disassembler: Disassembler, register: string): CodeOrigin | undefined {
  const { code } = report;
  if (code === undefined) return undefined;
  const ways: (readonly DecodedInstruction[])[] = [];
  // The kernel prints 42 bytes before the pc: ways from the first of them have fallen into step long before they meet it.
  const first = Math.max(1, Math.min(LONGEST, code.at - SETTLED));
  const starts = disassembler.unit > 1 ? [code.at % disassembler.unit] : Array.from({ length: first }, (_, at) => at);
  for (const start of starts) {
    const way = decodeTo(disassembler, code.bytes, start, code.at);
    if (way !== undefined) ways.push(way);
  }
  const loads = ways.map((way) => lastLoad(way, register));
  const [load] = loads;
  if (load === undefined || loads.some((each) => each?.formula !== load.formula)) return undefined;
  const value = registerValue(report, register);
  const base = registerValue(report, load.base);
  if (value === undefined) return undefined;
  return {
    register,
    value,
    formula: load.formula,
    base: load.base,
    ...(base === undefined || load.changed ? {} : { address: BigInt.asUintN(64, base + load.displacement) }),
  };
}

/** The instructions from `start` that end exactly at `end`. */
function decodeTo(disassembler: Disassembler, bytes: Uint8Array, start: number, end: number): readonly DecodedInstruction[] | undefined {
  const way: DecodedInstruction[] = [];
  for (let at = start; at < end; ) {
    const next = disassembler.decode(bytes.subarray(at), virtual(SOMEWHERE + BigInt(at)));
    if (!next.valid || next.size <= 0) return undefined;
    way.push(next);
    at += next.size;
    if (at > end) return undefined;
  }
  return way;
}

interface Load {
  readonly base: string;
  readonly displacement: bigint;
  readonly formula: string;
  /** The base was written after the load. */
  readonly changed: boolean;
}

function lastLoad(way: readonly DecodedInstruction[], register: string): Load | undefined {
  const at = way.findLastIndex(({ writes, flow }) => writes.includes(register) || flow === "call");
  const load = way[at];
  if (load === undefined || load.flow === "call" || !/^(?:mov|ldr|ldur)/.test(load.mnemonic)) return undefined;
  const memory = load.operands.find((operand): operand is MemoryOperand => operand.kind === "memory");
  if (memory?.base === undefined || memory.index !== undefined || memory.segment !== undefined || memory.access !== "read")
    return undefined;
  const { base, displacement } = memory;
  if (/^[re]?sp$|^[re]ip$/.test(base)) return undefined;
  // Control may come here from elsewhere when something before jumps over the load, or comes after a jump that is always taken.
  const over = way
    .slice(0, at)
    .some(({ operands }) => operands.some((operand) => operand.kind === "target" && operand.address > load.address));
  const apart = way.slice(at + 1).some(({ flow }) => flow === "jump" || flow === "return" || flow === "trap");
  if (over || apart) return undefined;
  const sign = displacement < 0n ? "-" : "+";
  return {
    base,
    displacement,
    formula: displacement === 0n ? base : `${base}${sign}0x${(displacement < 0n ? -displacement : displacement).toString(16)}`,
    changed: base === register || way.slice(at + 1).some(({ writes }) => writes.includes(base)),
  };
}

/** x86 logs name r8 as r08. */
export function registerValue({ registers }: LogReport, name: string): bigint | undefined {
  return registers.get(name) ?? registers.get(name.replace(/^r(\d)$/, "r0$1"));
}
