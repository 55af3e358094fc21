/**
 * A loop over a list that closes in a circle which its end is no part of: from the code of the loop, the instruction that goes from one entry
 * to the next, and from memory, where that leads.
 *
 *   mov 0x10(%rbx),%rbx        next is at 0x10         ffff…a0 ─► ffff…e0 ─► ffff…a0      the end (NULL, or the list's head that the loop
 *   test %rbx,%rbx             ends at NULL                                              compares with) does not come
 *
 * A list of struct list_head is a circle by design: there the head, which the loop compares with, must not lie in it.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { strip } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Slabs } from "../../linux/slab.ts";
import { type FunctionFlow, flowOf } from "../../type-flow/function-flow.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import { Activations } from "../fault/activation.ts";
import { KnownValues } from "../fault/known-values.ts";
import { objectType } from "../fault/object-type.ts";
import { typedFlow } from "../fault/typed-flow.ts";
import { guarded } from "../guarded.ts";
import type { StoppedCpu } from "./stopped-cpu.ts";

export interface ListCircle {
  /** Entries, in their order, from where the CPU was on; at most MAX_TOLD. */
  readonly entries: readonly VirtualAddress[];
  readonly length: number;
  /** Where an entry holds the next one. */
  readonly offset: bigint;
  /** The instruction that goes to the next entry. */
  readonly at: VirtualAddress;
  readonly function: string;
  readonly module: string | undefined;
  readonly type?: string;
  readonly member?: string;
  readonly cache?: string;
}

const MAX_STEPS = 100_000;
const MAX_TOLD = 8;
const MAX_OFFSET = 1n << 16n;
/** The function that was struck and its callers, as far as they belong to the loop. */
const MAX_FRAMES = 3;

export function listCircle(kernel: Kernel, { stack, struck, guilty, task, cpu }: StoppedCpu): ListCircle | undefined {
  const last = Math.min(Math.max(guilty ?? struck, struck), struck + MAX_FRAMES);
  for (let index = struck; index <= last; index++) {
    const frame = stack.frames[index];
    if (frame === undefined || frame.kind === "inline") continue;
    const found = guarded(() => {
      const flow = flowOf(kernel, index === struck ? frame.pc : virtual(frame.pc - 1n));
      const registers = frame.registers.record() as Readonly<Record<string, bigint | undefined>>;
      const walk = circleIn(kernel, flow, registers);
      if (walk === undefined) return undefined;
      const activations = new Activations(kernel, frame.pc, frame.registers, stack, index);
      const values = new KnownValues(kernel, activations, cpu, task.address);
      return {
        ...walk,
        function: flow.name.replace(/\..*/, ""),
        module: flow.module,
        ...typeOf(kernel, walk, index === struck ? typedFlow(kernel, activations, values, 0, flow) : flow),
      };
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Walk {
  readonly entries: readonly VirtualAddress[];
  readonly length: number;
  readonly offset: bigint;
  readonly at: VirtualAddress;
  readonly base: string;
}

/** Every load of the function that can be a step to the next entry is followed from where its register stands. */
function circleIn(kernel: Kernel, flow: FunctionFlow, registers: Readonly<Record<string, bigint | undefined>>): Walk | undefined {
  const ends = endsOf(flow, registers);
  for (const at of flow.addresses) {
    const { instruction } = flow.at(at) ?? {};
    const memory = instruction?.operands.find((operand) => operand.kind === "memory");
    if (instruction === undefined || memory === undefined || memory.access !== "read" || memory.size !== 8 || memory.base === undefined)
      continue;
    if (memory.index !== undefined || memory.segment !== undefined || memory.displacement < 0n || memory.displacement > MAX_OFFSET)
      continue;
    const [target] = instruction.writes;
    if (target === undefined || !isStep(flow, at, memory.base, target)) continue;
    for (const back of new Set([0n, memory.displacement])) {
      const start = registers[memory.base] ?? registers[target];
      const walk = start === undefined ? undefined : follow(kernel, start, memory.displacement, back, ends);
      if (walk !== undefined) return { ...walk, offset: memory.displacement, at, base: memory.base };
    }
  }
  return undefined;
}

/** What is loaded becomes the base of the same load: at once, or over a copy or a subtraction (container_of). */
function isStep(flow: FunctionFlow, at: bigint, base: string, target: string): boolean {
  const loops = flow.addresses.some((from) => {
    const operands = from < at ? [] : (flow.at(from)?.instruction.operands ?? []);
    return operands.some(
      (operand) =>
        operand.kind === "target" &&
        operand.address <= at &&
        flow.parts.some(({ start, end }) => operand.address >= start && operand.address < end),
    );
  });
  if (!loops) return false;
  if (base === target) return true;
  const before = flow.originOf(at, base);
  const parts = before.kind === "merge" ? before.of : [before];
  return parts.some(
    (part) => (part.kind === "load" && part.pc === at) || (part.kind === "sum" && part.from?.kind === "load" && part.from.pc === at),
  );
}

/** Values that comparisons of the function end a loop at. */
function endsOf(flow: FunctionFlow, registers: Readonly<Record<string, bigint | undefined>>): ReadonlySet<bigint> {
  const ends = new Set<bigint>();
  for (const at of flow.addresses) {
    const facts = flow.at(at);
    if (facts === undefined || !/^cmp/.test(facts.instruction.mnemonic)) continue;
    for (const operand of facts.instruction.operands) {
      if (operand.kind === "register") {
        const value = registers[operand.full];
        if (value !== undefined) ends.add(value);
      } else if (operand.kind === "immediate") ends.add(BigInt.asUintN(64, operand.value));
    }
    for (const constant of facts.constants) ends.add(constant);
  }
  return ends;
}

function follow(
  kernel: Kernel,
  start: bigint,
  offset: bigint,
  back: bigint,
  ends: ReadonlySet<bigint>,
): Omit<Walk, "offset" | "at" | "base"> | undefined {
  const seen = new Map<bigint, number>();
  const order: bigint[] = [];
  let at = start;
  for (let step = 0; step < MAX_STEPS; step++) {
    if (!kernel.arch.isKernelAddress(at) || (at & 7n) !== 0n) return undefined;
    const before = seen.get(at);
    if (before !== undefined) {
      const circle = order.slice(before);
      // The register that walks is compared itself: it stands for one entry only.
      const others = circle.length === 1 ? circle.filter((each) => each !== start) : circle;
      const ended = others.some((each) => each !== start && (ends.has(each) || ends.has(BigInt.asUintN(64, each + offset))));
      if (ended) return undefined;
      return { entries: circle.slice(0, MAX_TOLD).map(virtual), length: circle.length };
    }
    seen.set(at, step);
    order.push(at);
    const next = kernel.memory.tryU64(virtual(BigInt.asUintN(64, at + offset)));
    if (next === undefined || next === 0n) return undefined;
    at = BigInt.asUintN(64, next - back);
  }
  return undefined;
}

function typeOf(kernel: Kernel, { entries, offset, at, base }: Walk, flow: FunctionFlow): Pick<ListCircle, "type" | "member" | "cache"> {
  const [first] = entries;
  const object = first === undefined ? undefined : guarded(() => Slabs.of(kernel)?.objectOf(first));
  const cache = object === undefined ? {} : { cache: object.cache };
  const fact = flow.at(at)?.registers.get(base);
  const pointer = fact?.type === undefined ? undefined : strip(fact.type);
  const target = pointer?.kind === "pointer" ? strip(pointer.target) : undefined;
  const place = Number(offset) + (fact?.offset ?? 0);
  if (target?.kind === "struct" && target.name !== undefined) {
    const members = membersAt({ kind: "pointer", target, offset: place, stride: 0 }, 8);
    if (members.length > 0) return { type: `struct ${target.name}`, member: pathsOf(members), ...cache };
  }
  const known = first === undefined ? undefined : objectType(kernel, first);
  if (known === undefined || first === undefined) return cache;
  const members = membersAt({ kind: "pointer", target: known.type, offset: Number(first - known.address) + Number(offset), stride: 0 }, 8);
  return { type: known.name, ...(members.length === 0 ? {} : { member: pathsOf(members) }), ...cache };
}
