/**
 * Instructions out of memory, one after the other, and where functions begin and end.
 */
import { type Disassembler, disassemblerFor, type Instruction } from "../../arch/disassembler.ts";
import { add, distance, type VirtualAddress } from "../../bytes/address.ts";
import { LookupError } from "../../bytes/errors.ts";
import type { Memory } from "../../kernel/address-space.ts";
import type { Kernel } from "../../kernel/kernel.ts";

/** Code read at once. */
const CHUNK = 4096;
/** No function is longer; the bound matters for the last symbol, which has no end. */
const MAX_FUNCTION = 1 << 22;

/** One instruction with its bytes. */
export interface Decoded {
  readonly instruction: Instruction;
  readonly bytes: Uint8Array;
}

/**
 * Instructions from an address on, until `end` (exclusive) or without end. Throws FaultError at the first instruction whose first byte
 * cannot be read.
 */
export function* instructionsFrom(
  kernel: Kernel,
  memory: Memory,
  start: VirtualAddress,
  end?: VirtualAddress,
): Generator<Decoded, void, undefined> {
  const disassembler = disassemblerFor(kernel.arch.name);
  let chunk: Uint8Array = new Uint8Array(0);
  let at = 0;
  let here = start;
  while (end === undefined || here < end) {
    if (chunk.length - at < disassembler.longest) {
      chunk = readCode(memory, here, disassembler);
      at = 0;
    }
    const instruction = disassembler.instruction(chunk.subarray(at, at + disassembler.longest), here);
    yield { instruction, bytes: chunk.slice(at, at + instruction.size) };
    at += instruction.size;
    here = add(here, instruction.size);
  }
}

/** A chunk from an address, or as much of it as can be read: code may end where its page does. */
function readCode(memory: Memory, address: VirtualAddress, disassembler: Disassembler): Uint8Array {
  const whole = memory.tryBytes(address, CHUNK);
  if (whole !== undefined) return whole;
  const toPageEnd = CHUNK - Number(address & BigInt(CHUNK - 1));
  const rest = memory.bytes(address, toPageEnd);
  if (toPageEnd >= disassembler.longest) return rest;
  const next = memory.tryBytes(add(address, toPageEnd), disassembler.longest);
  return next === undefined ? rest : Uint8Array.of(...rest, ...next);
}

/** A function's extent. */
export interface FunctionRange {
  readonly name: string;
  readonly module: string | undefined;
  readonly start: VirtualAddress;
  /** Exclusive: its size as the table says, else the next symbol at another address. */
  readonly end: VirtualAddress;
}

/** The function that holds an address; throws LookupError when no symbol does. */
export function functionAt(kernel: Kernel, address: VirtualAddress): FunctionRange {
  const found = kernel.arch.isKernelAddress(address) ? kernel.symbols.byAddress(address) : undefined;
  if (found === undefined) throw new LookupError(`no function holds ${address.toString(16)}: it has no beginning or end that is known`);
  const { symbol } = found;
  const next = symbol.size ?? MAX_FUNCTION;
  const size = Math.min(next === 0 ? (nextSymbol(kernel, symbol.address) ?? MAX_FUNCTION) : next, MAX_FUNCTION);
  // Behind a function's own size comes padding that belongs to nobody.
  const end = add(symbol.address, Math.max(size, 1));
  return { name: symbol.name, module: symbol.module, start: symbol.address, end };
}

function nextSymbol(kernel: Kernel, address: VirtualAddress): number | undefined {
  const next = kernel.symbols.neighbours(address).next;
  return next === undefined ? undefined : distance(next.address, address);
}
