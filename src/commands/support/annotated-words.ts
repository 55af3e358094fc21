/**
 * Memory word by word with what each word is (`rd --annotate`): the identity of the value, and on a stack what the unwind tells of the slot.
 *
 *   ff5c684bc0013ad0:  ffffffffba7cd21a  return address of frame 1; panic+0x1a0
 *   ff5c684bc0013ad8:  ff3589d60298c2c0  saved rbp of frame 7; [kmalloc-32]
 */
import { add, hex16, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { StackWords, wordNote } from "../../identity/stack-words.ts";
import { stackTable } from "../../identity/stacks.ts";
import type { Memory } from "../../kernel/address-space.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { unwindTask } from "../../stack/unwind.ts";
import type { Session } from "../command.ts";
import { type MemoryGap, memoryRows } from "./memory-rows.ts";

export interface AnnotatedWord {
  readonly address: bigint;
  readonly value: bigint;
  /** What the word is; absent when it is just a number. */
  readonly note?: string;
}

/** Words of 64 bits from the address on. */
export function* annotatedWords(
  { kernel }: Session,
  memory: Memory,
  start: VirtualAddress,
  count: number,
): Generator<AnnotatedWord | MemoryGap> {
  // Slots have a meaning only in the kernel's own memory.
  const note = memory === kernel.memory ? slotNotes(kernel) : (_address: bigint, value: bigint) => wordNote(kernel, value);
  for (const row of memoryRows(memory, start, 64, count)) {
    if (!("words" in row)) {
      yield row;
      continue;
    }
    for (const [i, value] of row.words.entries()) {
      const address = add(row.address as VirtualAddress, i * 8);
      const told = note(address, value);
      yield told === undefined ? { address, value } : { address, value, note: told };
    }
  }
}

/** Notes by the stack that a word lies on; each stack is unwound once. */
function slotNotes(kernel: Kernel): (address: bigint, value: bigint) => string | undefined {
  const stacks = new Map<VirtualAddress, StackWords | undefined>();
  return (address, value) => {
    const owner = stackTable(kernel).find(address)?.value;
    const task = owner?.task?.address;
    if (task === undefined) return wordNote(kernel, value);
    if (!stacks.has(task)) stacks.set(task, wordsOf(kernel, task));
    return stacks.get(task)?.note(address, value) ?? wordNote(kernel, value);
  };
}

function wordsOf(kernel: Kernel, task: VirtualAddress): StackWords | undefined {
  try {
    return new StackWords(kernel, unwindTask(kernel, task), task);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

export function annotatedLine({ address, value, note }: AnnotatedWord): string {
  return `${address.toString(16).padStart(16)}:  ${hex16(value)}${note === undefined ? "" : `  ${note}`}`;
}
