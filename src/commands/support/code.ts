/**
 * Instructions out of memory, one after the other.
 */
import { type Disassembler, disassemblerFor, type Instruction } from "../../arch/disassembler.ts";
import { add, type VirtualAddress } from "../../bytes/address.ts";
import type { Memory } from "../../kernel/address-space.ts";
import type { Kernel } from "../../kernel/kernel.ts";

/** Code read at once. */
const CHUNK = 4096;

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
