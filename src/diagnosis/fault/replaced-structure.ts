/**
 * A structure that is one no longer: not only the pointer that was followed, its pointers to functions are none either. Such memory has got
 * another content as a whole: it was freed and given to somebody else, or a copy went over all of it.
 *
 *   (struct timer_list *)ffff…a40    entry.next = 0020000500200004    function = 0020000b0020000a
 */
import { hex16, virtual } from "../../bytes/address.ts";
import { type CType, strip } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";
import type { FaultCase } from "./fault-case.ts";
import { freedMemory } from "./freed-memory.ts";
import { slabRole } from "./samples.ts";
import { sourceOf } from "./source-of.ts";
import { tryIdentify } from "./try-identify.ts";

export interface ReplacedStructure {
  readonly type: string;
  readonly base: bigint;
  /** "function = 0020000b0020000a". */
  readonly members: readonly { readonly name: string; readonly address: bigint; readonly value: bigint }[];
}

const MAX_DEPTH = 2;

/** undefined when it is free, or its functions are code, or NULL, or it has none: then only the one pointer is known to be wrong. */
export function replacedStructure({ kernel, bad }: FaultCase): ReplacedStructure | undefined {
  const source = sourceOf({ bad } as FaultCase);
  const tag = /^struct (\w+)$/.exec(source?.container ?? "")?.[1];
  if (tag === undefined || source?.base === undefined || source.member === undefined || source.comparison !== "same") return undefined;
  // What was given back, and not yet taken again, is a matter of its own.
  if (poisonOf(bad?.value ?? 0n) !== undefined || freedMemory(kernel, source.base)?.state === "free") return undefined;
  if (!kernel.arch.isKernelAddress(source.base)) return undefined;
  const { base } = source;
  const type = kernel.types.find("struct", tag, { modules: true });
  const functions = type === undefined ? [] : functionsOf(type);
  // A pointer that was counted back from the wrong member: the structure is whole, where its object begins.
  const role = slabRole(tryIdentify(kernel, base));
  const isWhole = (at: bigint) =>
    functions.some(({ offset }) => {
      const word = kernel.memory.tryU64(virtual(BigInt.asUintN(64, at + BigInt(offset))));
      const symbol = word === undefined || !kernel.arch.isKernelAddress(word) ? undefined : kernel.symbols.byAddress(virtual(word));
      return symbol?.offset === 0 && /[tTwW]/.test(symbol.symbol.type);
    });
  if (role !== undefined && role.object !== base && isWhole(role.object)) return undefined;
  const members = functions.flatMap(({ name, offset }) => {
    const address = BigInt.asUintN(64, base + BigInt(offset));
    const value = address === source.address ? undefined : kernel.memory.tryU64(virtual(address));
    return value === undefined || value === 0n || isCode(kernel, value) || poisonOf(value) !== undefined ? [] : [{ name, address, value }];
  });
  return members.length === 0 ? undefined : { type: `struct ${tag}`, base, members };
}

function functionsOf(type: CType, at = 0, prefix = "", depth = 0): readonly { readonly name: string; readonly offset: number }[] {
  const plain = strip(type);
  if (plain.kind !== "struct" || depth > MAX_DEPTH) return [];
  return plain.members.flatMap(({ name, type: each, bitOffset }) => {
    const offset = at + bitOffset / 8;
    const target = strip(each);
    const path = name === undefined || name === "" ? prefix : `${prefix}${name}`;
    if (target.kind === "struct") return functionsOf(target, offset, path === "" ? "" : `${path}.`, depth + 1);
    return target.kind === "pointer" && strip(target.target).kind === "function" ? [{ name: path, offset }] : [];
  });
}

/** Also code that has no symbol: of a program of BPF, of a module that is gone. */
function isCode(kernel: Kernel, value: bigint): boolean {
  if (!kernel.arch.isKernelAddress(value)) return false;
  const symbol = kernel.symbols.byAddress(virtual(value));
  return symbol === undefined || /[tTwW]/.test(symbol.symbol.type);
}

/** In a sentence. */
export function replacedText({ type, base, members }: ReplacedStructure): string {
  const told = members.slice(0, 3).map(({ name, value }) => `${name} = ${hex16(value)}`);
  return `what lies at ${hex16(base)} is no ${type} any more: ${told.join(", ")} is no code`;
}
