/**
 * The "Code:" bytes of an oops as the instruction that failed, and which of its memory operands made the address.
 *
 *   Code: … <48> 8b 40 28 …   RAX: 0000000000000000   ─►  mov 0x28(%rax),%rax: reads 8 bytes at rax+0x28, rax = 0x0
 *
 * The registers must be those of the fault. An operand counts only when the reported address lies in it or, for a general protection
 * fault, when its address is non-canonical; otherwise nothing is said.
 */
import { type Disassembler, instructionText, type MemoryOperand } from "../../arch/disassembler.ts";
import { virtual } from "../../bytes/address.ts";
import type { LogReport } from "./report.ts";

export interface FaultingInstruction {
  readonly text: string;
  /** The operand that failed, when it is certain. */
  readonly operand?: {
    readonly access: "read" | "write";
    /** Bytes; 0 when not known. */
    readonly size: number;
    readonly address: bigint;
    /** "rax+rcx*8+0x28" */
    readonly formula: string;
    /** Registers in it and what they held. */
    readonly registers: readonly { readonly name: string; readonly value: bigint }[];
  };
}

/** Which decoder the report's code needs. */
export function codeMachine(report: LogReport): "x86_64" | "aarch64" | undefined {
  if (report.code === undefined) return undefined;
  return report.machine === "x86_64" ? "x86_64" : report.machine === "arm64" ? "aarch64" : undefined;
}

export function faultingInstruction(report: LogReport, disassembler: Disassembler): FaultingInstruction | undefined {
  const { code } = report;
  // What could not be fetched was not executed: the caller's instruction is not among the bytes.
  if (code === undefined || report.fields.access === "execute" || codeMachine(report) !== disassembler.machine) return undefined;
  const bytes = code.bytes.subarray(code.at);
  const here = virtual(report.registers.get("rip") ?? report.registers.get("pc") ?? 0n);
  const shown = disassembler.instruction(bytes, here);
  if (!shown.valid) return undefined;
  const text = instructionText(shown, (address) => `0x${address.toString(16)}`).replace(/\s+/g, " ");
  const operands = disassembler
    .decode(bytes, here)
    .operands.filter((operand) => operand.kind === "memory" && operand.access !== "address") as MemoryOperand[];
  const candidates = operands.map((operand) => located(operand, report)).filter((each) => each !== undefined);
  const { faultAddress } = report;
  const fits = candidates.filter(({ address, size }) =>
    faultAddress === undefined ? !isCanonical(address) : faultAddress >= address && faultAddress < address + BigInt(Math.max(1, size)),
  );
  const [operand] = fits;
  return operand === undefined || fits.length > 1 ? { text } : { text, operand };
}

function located(operand: MemoryOperand, report: LogReport): FaultingInstruction["operand"] {
  // Per-CPU addresses (gs) need a base that the report does not always tell.
  if (operand.segment !== undefined && /^[fg]s$/.test(operand.segment)) return undefined;
  const registers: { name: string; value: bigint }[] = [];
  let address = operand.displacement;
  const parts: string[] = [];
  for (const [name, scale] of [
    [operand.base, 1],
    [operand.index, operand.scale],
  ] as const) {
    if (name === undefined) continue;
    const value = report.registers.get(name) ?? report.registers.get(name.replace(/^r(\d)$/, "r0$1"));
    if (value === undefined || operand.extend !== undefined) return undefined;
    registers.push({ name, value });
    address += value * BigInt(scale);
    parts.push(scale === 1 ? name : `${name}*${scale}`);
  }
  // An absolute address is told by the fault address alone.
  if (registers.length === 0 && report.faultAddress === undefined) return undefined;
  const { displacement } = operand;
  if (displacement !== 0n)
    parts.push(`${displacement < 0n ? "-" : ""}0x${(displacement < 0n ? -displacement : displacement).toString(16)}`);
  return {
    access: operand.access === "read" ? "read" : "write",
    size: operand.size,
    address: BigInt.asUintN(64, address),
    formula: parts.join("+").replaceAll("+-", "-"),
    registers,
  };
}

/** With four-level paging; an address that only five levels make canonical faults on most machines. */
function isCanonical(address: bigint): boolean {
  const high = address >> 47n;
  return high === 0n || high === 0x1ffffn;
}
