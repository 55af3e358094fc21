/**
 * What the decoders of locks share: owner words, their flags, lists of waiters.
 *
 * Structures are aligned to 64 bytes or more where task_structs come from, so the low three bits are never part of the pointer.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { LockKind, LockOwner, LockState } from "./lock.ts";
import { lockSymbol, lockTaskAt } from "./lock-tasks.ts";
import type { WaitList } from "./wait-list.ts";

export const FLAG_BITS = 7n;

export function lacking(kind: string): UnsupportedError {
  return new UnsupportedError(`this dump's types do not tell how a ${kind} is laid out`);
}

export function blank(kernel: Kernel, kind: LockKind, address: VirtualAddress): Omit<LockState, "held" | "waiters" | "waitersComplete"> {
  return {
    kind,
    address,
    symbol: lockSymbol(kernel, address),
    owner: undefined,
    readers: undefined,
    flags: [],
    count: undefined,
    problems: [],
  };
}

/** The task an owner word names; a word that names none is a problem of the lock. */
export function ownerOf(kernel: Kernel, word: bigint, mode: LockOwner["mode"], problems: string[]): LockOwner | undefined {
  const address = word & ~FLAG_BITS;
  if (address === 0n) return undefined;
  const task = lockTaskAt(kernel, address);
  if (task !== undefined) return { task, mode, certainty: "exact", evidence: "owner field" };
  problems.push(`its owner ${address.toString(16)} is no task that exists`);
  return undefined;
}

export function flagNames(word: bigint, names: readonly (readonly [bigint, string])[]): string[] {
  return names.flatMap(([bit, name]) => ((word & bit) === 0n ? [] : [name]));
}

export function withList({ waiters, complete, problem }: WaitList, problems: string[]) {
  if (problem !== undefined) problems.push(problem);
  return { waiters, waitersComplete: complete };
}
