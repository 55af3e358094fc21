/**
 * Disassembly behind one interface. The decoders are WebAssembly libraries that a face loads before it runs a command which wants
 * them (the core is synchronous and imports nothing of its platform):
 *
 *   face: await loadDisassembler("x86_64")  ──►  core: disassemblerFor("x86_64").instruction(bytes, address)
 *
 * The text is the dialect of binutils (AT&T syntax on x86-64), which is what gdb prints and what crash passes on: version 2.41 and newer,
 * `call`, `ret`, `push` without suffix and `shr $1,%eax` with its operand.
 */

import type { VirtualAddress } from "../bytes/address.ts";
import { InquestError, UnsupportedError } from "../bytes/errors.ts";
import { interruptions } from "../bytes/interruption.ts";

/** Machines that can be disassembled; the names of `Architecture.name`. */
export type DisassembledMachine = "x86_64" | "aarch64";

/** Where control goes after an instruction. "trap" never returns by itself (ud2, int3, brk). */
export type Flow = "next" | "jump" | "conditional" | "call" | "return" | "trap" | "system";

/** One instruction as text in pieces, so that the shower of it chooses how addresses and symbols look. */
export interface Instruction {
  readonly address: VirtualAddress;
  /** Bytes. */
  readonly size: number;
  /** False for bytes that are no instruction; the size is then one unit of the machine (1 byte, 4 on arm64). */
  readonly valid: boolean;
  /** With its prefixes: "lock cmpxchg". */
  readonly mnemonic: string;
  /** Between mnemonic and operands: spaces up to column 7 on x86-64, a tab on arm64. */
  readonly separator: string;
  /** Operands without `target`; ends in "," or ", " when one follows: "x0, " of `cbz x0, ffff…`. */
  readonly operands: string;
  /** Address that the instruction holds relative to itself and that is its last operand: where it branches to, or what adrp names. */
  readonly target: VirtualAddress | undefined;
  /** Address of a memory operand relative to the instruction (`0x12(%rip)`), shown as a comment. */
  readonly reference: VirtualAddress | undefined;
  /** What binutils adds on arm64, with the space before it: an immediate in decimal (`// #16`), another name of the condition. */
  readonly note: string | undefined;
  readonly flow: Flow;
}

/** How an operand is used. "address": its address is computed and not accessed (lea, prefetch). */
export type Access = "read" | "write" | "readwrite" | "address";

/** Register, immediate, memory or branch target. Registers carry the name of the full register too: "eax" is part of "rax". */
export type Operand =
  | {
      readonly kind: "register";
      readonly name: string;
      readonly full: string;
      readonly size: number;
      readonly access: Access;
      /** arm64: what is done with its value before it is used, as binutils writes it: "lsl #3", "sxtw", "uxtw #2". */
      readonly modifier?: string;
    }
  /** Shifted as the instruction says (arm64: `add x0, x0, #0x1, lsl #12` adds 0x1000). */
  | { readonly kind: "immediate"; readonly value: bigint }
  /** arm64: a system register by its name. */
  | { readonly kind: "system"; readonly name: string }
  | { readonly kind: "target"; readonly address: VirtualAddress }
  | MemoryOperand;

/** `segment:displacement(base,index,scale)`; registers are full names ("rax", "x0", "sp"). */
export interface MemoryOperand {
  readonly kind: "memory";
  readonly segment: string | undefined;
  /** undefined for absolute addresses; RIP-relative ones are given as an absolute displacement. */
  readonly base: string | undefined;
  readonly index: string | undefined;
  readonly scale: number;
  /** Signed. */
  readonly displacement: bigint;
  /** Bytes accessed; 0 when unknown or none. */
  readonly size: number;
  readonly access: Access;
  /** arm64: the base is changed before ("pre") or after ("post") the access. */
  readonly writeback: "pre" | "post" | undefined;
  /** arm64, "post": what is added to the base after the access. */
  readonly step?: bigint;
  /** arm64: the index is a register of 32 bits that is extended so first. */
  readonly extend?: "sxtw" | "uxtw";
}

/** An instruction's meaning in a small typed form. Operands are in the text's order; implicit ones are in reads and writes. */
export interface DecodedInstruction {
  readonly address: VirtualAddress;
  readonly size: number;
  readonly valid: boolean;
  readonly mnemonic: string;
  readonly flow: Flow;
  readonly operands: readonly Operand[];
  /** Full names of general registers read, also to form addresses. */
  readonly reads: readonly string[];
  /** Full names of general registers written. */
  readonly writes: readonly string[];
}

export interface Disassembler {
  readonly machine: DisassembledMachine;
  /** Length in bytes of the longest instruction: how much to read ahead. */
  readonly longest: number;
  /** Smallest step between instructions in bytes. */
  readonly unit: number;
  /** The instruction at the start of `bytes`, which may be followed by others. Never throws for bad code. */
  instruction(bytes: Uint8Array, address: VirtualAddress): Instruction;
  /** The same as operands. */
  decode(bytes: Uint8Array, address: VirtualAddress): DecodedInstruction;
}

/** Loads and prepares one decoder; a face registers it, so the core stays free of its platform. */
export type DisassemblerLoader = () => Promise<Disassembler>;

const loaders = new Map<DisassembledMachine, DisassemblerLoader>();
/** `since`: a decoder in whose WebAssembly work was ended may have torn memory. */
const loaded = new Map<DisassembledMachine, { readonly disassembler: Disassembler; readonly since: number }>();

/** Tells how the machine's decoder is loaded on this platform. */
export function setDisassemblerLoader(machine: DisassembledMachine, loader: DisassemblerLoader): void {
  loaders.set(machine, loader);
}

/**
 * Loads the machine's decoder unless it is there, and anew after an interruption; await this before running a command whose spec says
 * `needsDisassembler`.
 */
export async function loadDisassembler(machine: DisassembledMachine): Promise<Disassembler> {
  const known = loaded.get(machine);
  if (known?.since === interruptions.count) return known.disassembler;
  const loader = loaders.get(machine);
  if (loader === undefined) throw new UnsupportedError(`no disassembler for ${machine} is registered on this platform`);
  const since = interruptions.count;
  let made: Disassembler;
  try {
    made = await loader();
  } catch (error) {
    if (error instanceof InquestError) throw error;
    throw new UnsupportedError(
      `the disassembler for ${machine} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  loaded.set(machine, { disassembler: made, since });
  return made;
}

/** The loaded decoder; throws UnsupportedError when nobody awaited loadDisassembler(). */
export function disassemblerFor(machine: DisassembledMachine): Disassembler {
  const known = loaded.get(machine)?.disassembler;
  if (known === undefined)
    throw new UnsupportedError(`the disassembler for ${machine} was not loaded (a library user awaits loadDisassembler() first)`);
  return known;
}

/**
 * Lays an instruction out as binutils does: mnemonic, operands, target, then `# reference` or the note.
 * @param show how an address and its symbol are written, e.g. `0xffffffff81000000 <startup_64>`
 */
export function instructionText(insn: Instruction, show: (address: VirtualAddress) => string): string {
  let text = insn.mnemonic;
  if (insn.operands !== "" || insn.target !== undefined) text += insn.separator + insn.operands;
  if (insn.target !== undefined) text += show(insn.target);
  if (insn.reference !== undefined) text += `        # ${show(insn.reference)}`;
  return insn.note === undefined ? text : text + insn.note;
}
