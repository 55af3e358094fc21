/**
 * Type flow held against DWARF: the type that it gives a register, from the dump's own types alone, and the variables that the vmlinux
 * places in that register.
 */
import { InquestError } from "../../src/bytes/errors.ts";
import { type CType, sizeOf, strip } from "../../src/debug-info/c-type.ts";
import type { KernelSymbol } from "../../src/debug-info/symbols.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { controlFlowOf } from "../../src/type-flow/control-flow.ts";
import { DescribedVariables, type RegisterVariable } from "../../src/type-flow/described-variables.ts";
import { flowOf, type RegisterFact } from "../../src/type-flow/function-flow.ts";
import { sameType } from "../../src/type-flow/shape.ts";

export interface Agreement {
  functions: number;
  /** Memory operands with a base register other than the stack pointer. */
  operands: number;
  /** Those whose member is told. */
  named: number;
  /** Bases in which DWARF has a pointer to a structure. */
  described: number;
  agree: number;
  silent: number;
  /** An offset from a structure that leads out of it: true of the code, and no claim about what lies there. */
  outside: number;
  contradictions: string[];
}

type Verdict = "agree" | "silent" | "outside" | "contradiction";

/** Functions of the kernel's text, evenly spread. */
export function someFunctions(kernel: Kernel, count: number): readonly KernelSymbol[] {
  const [low, high] = [kernel.address("_stext"), kernel.address("_etext")];
  const all = Array.from({ length: kernel.symbols.count }, (_, i) => kernel.symbols.at(i)).filter(
    ({ type, address, module, name }) =>
      "tT".includes(type) && module === undefined && address >= low && address < high && !/^(__pfx_|__cfi_|\$)|\.cold/.test(name),
  );
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, i) => i % step === 0);
}

/** @param alone the dump by itself; @param described the same dump with its vmlinux */
export function agreement(alone: Kernel, described: Kernel, functions: readonly KernelSymbol[]): Agreement {
  const total: Agreement = { functions: 0, operands: 0, named: 0, described: 0, agree: 0, silent: 0, outside: 0, contradictions: [] };
  for (const symbol of functions) {
    try {
      compareFunction(alone, described, symbol, total);
      total.functions++;
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  return total;
}

function compareFunction(alone: Kernel, described: Kernel, { name, address }: KernelSymbol, total: Agreement): void {
  const flow = flowOf(alone, address);
  const variables = new DescribedVariables(described, controlFlowOf(described, address));
  flow.addresses.forEach((pc, index) => {
    const facts = flow.at(pc);
    if (facts?.reached !== true) return;
    const seen = new Set<string>();
    for (const { memory, member, text } of facts.operands) {
      const { base } = memory;
      if (base === undefined || /^r?sp$/.test(base)) continue;
      total.operands++;
      if (member !== undefined) total.named++;
      if (seen.has(base)) continue;
      seen.add(base);
      const held = variables.inRegisters(index).filter((each) => each.register === base && structureBehind(each.type) !== undefined);
      if (held.length === 0) continue;
      total.described++;
      const verdict = judge(facts.registers.get(base), held);
      if (verdict === "contradiction") {
        const theirs = held.map((each) => `${each.name}: ${structureName(each.type)}`).join(", ");
        total.contradictions.push(`${name}+0x${(pc - address).toString(16)} ${base}: ${text}, DWARF has ${theirs}`);
      } else total[verdict]++;
    }
  });
}

function judge(fact: RegisterFact | undefined, held: readonly RegisterVariable[]): Verdict {
  const target = fact?.type === undefined ? undefined : structureBehind(fact.type);
  if (target === undefined) return "silent";
  const offset = fact?.offset ?? 0;
  let outside = offset < 0 || offset >= sizeOf(target);
  for (const { type, delta } of held) {
    const theirs = structureBehind(type) as CType;
    // The variable is the register and delta: its structure starts so many bytes into ours.
    const start = offset + delta;
    if (contains(target, start, theirs, 0) || contains(theirs, -start, target, 0)) return "agree";
    if (sameType(target, theirs) && start % sizeOf(theirs) === 0) return "agree";
    if (start < 0 || start >= sizeOf(target)) outside = true;
  }
  return outside ? "outside" : "contradiction";
}

/** The structure or union that a pointer type leads to. */
function structureBehind(type: CType): CType | undefined {
  const pointer = strip(type);
  if (pointer.kind !== "pointer") return undefined;
  const target = strip(pointer.target);
  return target.kind === "struct" || target.kind === "union" ? pointer.target : undefined;
}

function structureName(type: CType): string {
  const target = structureBehind(type);
  const plain = target === undefined ? undefined : strip(target);
  return plain !== undefined && "name" in plain ? (plain.name ?? "anonymous") : "?";
}

/** Whether a type lies at an offset within another. */
function contains(outer: CType, offset: number, inner: CType, depth: number): boolean {
  if (depth > 16 || offset < 0) return false;
  if (offset === 0 && sameType(outer, inner)) return true;
  const plain = strip(outer);
  if (plain.kind === "struct" || plain.kind === "union") {
    return plain.members.some(
      ({ type, bitOffset, bitSize }) => bitSize === undefined && contains(type, offset - (bitOffset >> 3), inner, depth + 1),
    );
  }
  if (plain.kind !== "array") return false;
  const size = sizeOf(plain.element);
  return size > 0 && offset < size * Math.max(1, plain.length) && contains(plain.element, offset % size, inner, depth + 1);
}
