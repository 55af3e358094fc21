/**
 * arm64 instructions through capstone (WebAssembly), written in the dialect of binutils by arm64-dialect.ts. Operands come from the
 * text: capstone's JavaScript binding reads its arm64 details at wrong offsets, and the text of arm64 is regular.
 *
 *   ldp x19, x20, [sp, #16]     registers written, memory read: base sp, displacement 16, 16 bytes
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { arm64Dialect, unprivilegedAccess } from "./arm64-dialect.ts";
import { arm64Operands } from "./arm64-operands.ts";
import type { DecodedInstruction, Disassembler, Flow, Instruction } from "./disassembler.ts";

/** The part of the library that is used; the package carries no types. */
export interface CapstoneModule {
  readonly ARCH_ARM64: number;
  readonly MODE_ARM: number;
  readonly Capstone: new (
    arch: number,
    mode: number,
  ) => { disasm(bytes: Uint8Array, address: bigint, max: number): readonly CapstoneInstruction[] };
}

interface CapstoneInstruction {
  readonly mnemonic: string;
  readonly op_str: string;
}

const SIZE = 4;

export class Arm64Disassembler implements Disassembler {
  readonly machine = "aarch64";
  readonly longest = SIZE;
  readonly unit = SIZE;
  readonly #capstone: InstanceType<CapstoneModule["Capstone"]>;

  constructor(capstone: CapstoneModule) {
    this.#capstone = new capstone.Capstone(capstone.ARCH_ARM64, capstone.MODE_ARM);
  }

  instruction(bytes: Uint8Array, address: VirtualAddress): Instruction {
    const found = this.#decode(bytes, address);
    if (found === undefined) return undefinedWord(bytes, address);
    const text = arm64Dialect(found.mnemonic, found.op_str, wordOf(bytes));
    return {
      address,
      size: SIZE,
      valid: true,
      mnemonic: text.mnemonic,
      separator: "\t",
      operands: text.operands,
      target: text.target === undefined ? undefined : virtual(text.target),
      reference: undefined,
      note: text.note,
      flow: flowOf(text.mnemonic),
    };
  }

  decode(bytes: Uint8Array, address: VirtualAddress): DecodedInstruction {
    const found = this.#decode(bytes, address);
    if (found === undefined)
      return { address, size: SIZE, valid: false, mnemonic: ".inst", flow: "trap", operands: [], reads: [], writes: [] };
    const { mnemonic, operands, target } = arm64Dialect(found.mnemonic, found.op_str, wordOf(bytes));
    return {
      address,
      size: SIZE,
      valid: true,
      mnemonic,
      flow: flowOf(mnemonic),
      ...arm64Operands(mnemonic, operands, target === undefined ? undefined : virtual(target)),
    };
  }

  #decode(bytes: Uint8Array, address: VirtualAddress): CapstoneInstruction | undefined {
    if (bytes.length < SIZE) return undefined;
    try {
      return this.#capstone.disasm(bytes.subarray(0, SIZE), address, 1)[0];
    } catch {
      // The binding throws a string for a word that it does not know.
      return unprivilegedAccess(wordOf(bytes));
    }
  }
}

function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, SIZE).getUint32(0, true);
}

function undefinedWord(bytes: Uint8Array, address: VirtualAddress): Instruction {
  const whole = bytes.length >= SIZE;
  const word = whole ? wordOf(bytes).toString(16).padStart(8, "0") : "";
  return {
    address,
    size: SIZE,
    valid: false,
    mnemonic: ".inst",
    separator: "\t",
    operands: whole ? `0x${word} ; undefined` : "(cut short)",
    target: undefined,
    reference: undefined,
    note: undefined,
    flow: "trap",
  };
}

function flowOf(mnemonic: string): Flow {
  if (/^(b|br|bra[ab]z?)$/.test(mnemonic)) return "jump";
  if (/^(bl|blr|blra[ab]z?)$/.test(mnemonic)) return "call";
  if (/^(ret|reta[ab]|eret|ereta[ab])$/.test(mnemonic)) return "return";
  if (/^(bc?\.|cbn?z$|tbn?z$)/.test(mnemonic)) return "conditional";
  if (/^(svc|hvc|smc)$/.test(mnemonic)) return "system";
  if (/^(brk|hlt|udf|dcps\d)$/.test(mnemonic)) return "trap";
  return "next";
}
