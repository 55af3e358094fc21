/**
 * The functions of a module that take entries off lists: list_del() leaves LIST_POISON1 and LIST_POISON2 in the entry (include/linux/list.h,
 * include/linux/poison.h), and is inlined, so that the poison is a constant of their code.
 *
 *   x86-64   movabs $0xdead000000000100,%rax; mov %rax,0x18(%rdi)         00 01 00 00 00 00 ad de
 *   arm64    mov x0, #0x100; movk #0xdead, lsl #48; str x0, [x1, #24]     movk is f2fbd5a0 and the register's number
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";
import { flowOf } from "../../type-flow/function-flow.ts";
import type { FaultCase } from "./fault-case.ts";
import { instructionAt } from "./instruction-at.ts";
import { sourceOf } from "./source-of.ts";
import { plainName } from "./words.ts";

/** Bytes of one module's code. */
const MAX_TEXT = 4 << 20;
/** Places of the constant. */
const MAX_PLACES = 64;

const MOVK_DEAD = 0xf2fb_d5a0;
const MOVZ_100 = 0xd280_2000;
/** Instructions before movk in which the constant's low part is made. */
const LOW_PART = 6;

export interface Unlinker {
  readonly function: string;
  /** Bytes from the register that it stores through to the link: the link's place in the structure, 0 where that is pointed at itself. */
  readonly offset: number;
}

/** Each function once for each offset; empty when the code is not in the dump. @param offset only those that store there, or at the link itself */
export function unlinkersOf(kernel: Kernel, module: string, offset: number | undefined): readonly Unlinker[] {
  const found = new Map<string, Unlinker>();
  try {
    for (const at of poisonPlaces(kernel, module)) {
      for (const each of storesNear(kernel, at))
        if (offset === undefined || each.offset === offset || each.offset === 0) found.set(`${each.function} ${each.offset}`, each);
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return [...found.values()];
}

function* poisonPlaces(kernel: Kernel, name: string): Generator<VirtualAddress> {
  const module = kernel.modules.find((each) => each.name === name);
  const isArm = kernel.arch.name === "aarch64";
  let places = 0;
  for (const { kind, start, size } of module?.regions ?? []) {
    if (!/^(?:text|core)$/.test(kind) || size > MAX_TEXT) continue;
    const bytes = kernel.memory.tryBytes(start, size);
    if (bytes === undefined) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 8 <= size; at += isArm ? 4 : 1) {
      const hit = isArm
        ? (view.getUint32(at, true) & ~31) >>> 0 === MOVK_DEAD
        : bytes[at + 7] === 0xde && bytes[at + 6] === 0xad && isLink(view.getBigUint64(at, true));
      if (!hit) continue;
      if (++places > MAX_PLACES) return;
      yield add(start, at);
    }
  }
}

function isLink(word: bigint): boolean {
  return poisonOf(word)?.name === "LIST_POISON1" && poisonOf(word)?.offset === 0;
}

/** Instructions from the constant to where it is stored. */
const BEHIND = 24;

/** The register that the constant is made in: of movabs, or of the movk behind `mov xN, #0x100`. */
function madeIn(kernel: Kernel, addresses: readonly VirtualAddress[], from: number): string | undefined {
  const instruction = instructionAt(kernel, addresses[from] as VirtualAddress);
  const made = instruction?.operands.find((operand) => operand.kind === "register" && operand.access !== "read");
  const register = made?.kind === "register" ? made.full : undefined;
  if (register === undefined || kernel.arch.name !== "aarch64") return register;
  for (const before of addresses.slice(Math.max(0, from - LOW_PART), from)) {
    const word = kernel.memory.tryU32(before);
    if (word !== undefined && word === (MOVZ_100 | Number(register.slice(1))) >>> 0) return register;
  }
  return undefined;
}

/** Stores of LIST_POISON1 behind the place where it is made. */
function storesNear(kernel: Kernel, place: VirtualAddress): readonly Unlinker[] {
  try {
    const { name, addresses } = flowOf(kernel, place);
    // On x86-64 the constant is the last part of its instruction.
    const from = addresses.findLastIndex((each) => each <= place);
    const register = from < 0 ? undefined : madeIn(kernel, addresses, from);
    if (register === undefined) return [];
    for (const at of addresses.slice(from + 1, from + 1 + BEHIND)) {
      const instruction = instructionAt(kernel, at);
      const memory = instruction?.operands.find((operand) => operand.kind === "memory");
      if (instruction === undefined) break;
      const stored = instruction.operands.filter((operand) => operand.kind === "register");
      const which = stored.findIndex((operand) => operand.full === register && operand.access === "read");
      if (memory?.kind === "memory" && memory.access === "write" && memory.index === undefined && memory.base !== register && which >= 0)
        return [{ function: plainName(name), offset: Number(memory.displacement) + which * 8 }];
      if (instruction.writes.includes(register)) break;
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return [];
}

/** Functions that are named. */
const SHOWN = 4;

/** Who takes entries like the poisoned one off their lists, as a line of the story; none when the bad value is no poison of lists. */
export function unlinkedBy(fault: FaultCase): readonly string[] {
  const { kernel, guilty } = fault;
  const source = sourceOf(fault);
  const poison = fault.bad === undefined ? undefined : poisonOf(fault.bad.value);
  if (guilty.module === undefined || (poison !== undefined && !poison.name.startsWith("LIST_POISON"))) return [];
  // The link that was read is next, or prev behind it.
  const link = source?.offset === undefined ? undefined : Number(source.offset) - (poison?.name === "LIST_POISON2" ? 8 : 0);
  const names = [...new Set(unlinkersOf(kernel, guilty.module, link).map((each) => each.function))];
  if (names.length === 0) return [];
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return [`Entries are taken off their lists in ${names.slice(0, SHOWN).join(", ")}${more} [${guilty.module}].`];
}
