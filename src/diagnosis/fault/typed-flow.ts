/**
 * Types that a function's own code and prototype do not tell, for one call of it that is on the stack:
 *
 *   from outside   `call *0x10(%rax)` of the caller is file->f_op->read: its prototype is the callee's, whether that has one or not; what the
 *                  caller had in the argument registers keeps its type on the way in (void *, .isra, static functions without BTF)
 *   from memory    the pointer's value is known and lies in an object whose slab cache has one structure
 *   from use       it is passed on to a function with a prototype; the members that are used through it fit one structure of the module
 *
 * What is already known is kept; `void *` is nothing known.
 */
import { virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { type CType, type StructType, strip } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";
import { Slabs } from "../../linux/slab.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import { type GivenShapes, resultKey } from "../../type-flow/flow-input.ts";
import type { FunctionFlow, RegisterFact } from "../../type-flow/function-flow.ts";
import type { Machine } from "../../type-flow/machine.ts";
import { membersAt } from "../../type-flow/member-path.ts";
import type { Origin } from "../../type-flow/origin.ts";
import { registerParameters } from "../../type-flow/parameters.ts";
import { type PointerShape, type Shape, shapeOfType } from "../../type-flow/shape.ts";
import type { Activation, Activations } from "./activation.ts";
import { allocationSize } from "./allocation-size.ts";
import type { KnownValues } from "./known-values.ts";
import { objectType } from "./object-type.ts";
import { ownStructures } from "./own-structures.ts";
import { fittingStructure, type PlaceUsed } from "./type-fit.ts";

/** Callers whose own callers are asked. */
const MAX_LEVELS = 6;
const MAX_ROUNDS = 3;
/** Instructions of a function that is looked into for uses. */
const MAX_INSTRUCTIONS = 2000;
/** Values whose type is looked for. */
const MAX_VALUES = 16;

/** The flow of the function at a level, with what this call of it tells. `plain` when that adds nothing. */
export function typedFlow(kernel: Kernel, activations: Activations, values: KnownValues, level: number, plain: FunctionFlow): FunctionFlow {
  if (level >= MAX_LEVELS) return plain;
  const { machine } = activations;
  const caller = isVague(plain, machine) ? activations.at(level + 1) : undefined;
  const entry = new Map(caller === undefined ? [] : entryShapes(plain, caller, machine));
  const results = new Map<string, Shape>();
  let flow = entry.size === 0 ? plain : plain.given({ entry, results });
  if (plain.addresses.length > MAX_INSTRUCTIONS) return flow;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = newShapes(kernel, flow, machine, (origin) => values.of(level, origin)?.value);
    const fresh = found.filter(([origin]) => !(origin.kind === "load" || origin.kind === "result" ? results : entry).has(keyOf(origin)));
    if (fresh.length === 0) break;
    for (const [origin, shape] of fresh) {
      if (origin.kind === "load") for (const key of loadKeys(flow, origin.pc)) results.set(key, shape);
      else if (origin.kind === "result") results.set(resultKey(origin.pc, machine.result), shape);
      else entry.set(origin.register, shape);
    }
    const given: GivenShapes = { entry: new Map(entry), results: new Map(results) };
    flow = plain.given(given);
  }
  return flow;
}

/** No prototype, or one with parameters that may be anything. */
function isVague({ type }: FunctionFlow, machine: Machine): boolean {
  return type === undefined || registerParameters(type, machine).some((each) => isBare(shapeOfType(each.type)));
}

/** Nothing is known: void *, or a number that a pointer may be (unsigned long). */
function isBare(shape: Shape | undefined): boolean {
  if (shape === undefined) return true;
  if (shape.kind === "scalar") {
    const plain = strip(shape.type);
    return plain.kind === "int" && plain.size === 8;
  }
  return shape.kind === "pointer" && strip(shape.target).kind === "void";
}

/** What the caller had in the registers that carry parameters, and what the pointer that it called through says of them. */
function entryShapes(flow: FunctionFlow, caller: Activation, machine: Machine): readonly (readonly [string, Shape])[] {
  const facts = caller.flow?.at(caller.pc);
  if (facts === undefined) return [];
  const known = new Map((flow.type === undefined ? [] : registerParameters(flow.type, machine)).map((each) => [each.register, each.type]));
  const called = facts.call?.type === undefined ? [] : registerParameters(facts.call.type, machine);
  return machine.arguments.flatMap((register): readonly (readonly [string, Shape])[] => {
    const own = known.get(register);
    if (own !== undefined && !isBare(shapeOfType(own))) return [];
    const declared = called.find((each) => each.register === register);
    const ways = [declared === undefined ? undefined : shapeOfType(declared.type), shapeOfFact(facts.registers.get(register))];
    const found = ways.find((shape) => shape?.kind === "pointer" && !isBare(shape));
    return found === undefined ? [] : [[register, found]];
  });
}

function shapeOfFact(fact: RegisterFact | undefined): Shape | undefined {
  const shape = fact?.type === undefined ? undefined : shapeOfType(fact.type);
  return shape?.kind === "pointer" ? { ...shape, offset: fact?.offset ?? 0 } : undefined;
}

/** An origin that a type can be given to. */
type Root = Extract<Origin, { readonly kind: "load" | "result" | "parameter" | "entry" }>;

interface Uses {
  readonly root: Root;
  readonly places: PlaceUsed[];
  /** Structures that it is passed on as, at its start. */
  readonly passed: StructType[];
  /** Bytes that the code goes back from it before it uses members: container_of. */
  back?: number;
  /** An access is not named yet. */
  open: boolean;
}

function keyOf(root: Root): string {
  return root.kind === "load" ? `load ${root.pc} ${root.offset}` : root.kind === "result" ? `result ${root.pc}` : root.register;
}

/** Registers that a load gives, by the keys of their results. */
function loadKeys(flow: FunctionFlow, pc: bigint): readonly string[] {
  const instruction = flow.at(pc)?.instruction;
  // Of the two registers of a pair it is not told which.
  if (instruction === undefined || /^ldn?p/.test(instruction.mnemonic)) return [];
  return instruction.writes.map((register) => resultKey(pc, register));
}

/** Values and the offset from them that a value is: past sums, and each of those that meet. */
function rootsOf(origin: Origin, offset = 0, depth = 0): readonly { readonly root: Root; readonly offset: number }[] {
  if (depth > 6) return [];
  switch (origin.kind) {
    case "load":
    case "result":
    case "parameter":
    case "entry":
      return [{ root: origin, offset }];
    case "sum":
      if (origin.from === undefined || origin.added === undefined || origin.added > 1n << 20n || origin.added < -(1n << 20n)) return [];
      return rootsOf(origin.from, offset + Number(origin.added), depth + 1);
    case "merge":
      return origin.of.slice(0, 4).flatMap((each) => rootsOf(each, offset, depth + 1));
    default:
      return [];
  }
}

function usesIn(flow: FunctionFlow, machine: Machine): readonly Uses[] {
  const found = new Map<string, Uses>();
  const of = (root: Root): Uses => {
    const key = keyOf(root);
    const known = found.get(key);
    if (known !== undefined) return known;
    const made: Uses = { root, places: [], passed: [], open: false };
    found.set(key, made);
    return made;
  };
  for (const pc of flow.addresses) {
    const facts = flow.at(pc);
    if (facts === undefined) continue;
    for (const fact of facts.operands) {
      const { base, index, segment, displacement, size, access } = fact.memory;
      if (base === undefined || index !== undefined || segment !== undefined || access === "address") continue;
      if (fact.local !== undefined || fact.variable !== undefined || displacement > 1n << 20n || displacement < -(1n << 20n)) continue;
      for (const { root, offset } of rootsOf(flow.originOf(pc, base))) {
        const uses = of(root);
        uses.places.push({
          offset: offset + Number(displacement),
          size: /^ldn?p|^stn?p/.test(facts.instruction.mnemonic) ? size / 2 : size,
        });
        if (offset < 0) uses.back = Math.max(uses.back ?? 0, -offset);
        if (fact.member === undefined) uses.open = true;
      }
    }
    for (const { register, type } of facts.call?.type === undefined ? [] : registerParameters(facts.call.type, machine)) {
      const shape = shapeOfType(type);
      const target = shape?.kind === "pointer" ? strip(shape.target) : undefined;
      if (target?.kind !== "struct" || target.name === undefined) continue;
      for (const { root, offset } of rootsOf(flow.originOf(pc, register))) {
        of(root).places.push({ offset, size: 0, type: target });
        if (offset === 0) of(root).passed.push(target);
      }
    }
  }
  for (const { root, places } of [...found.values()]) {
    if (root.kind !== "load" || root.from === undefined) continue;
    const used = places.filter(({ type }) => type === undefined);
    for (const parent of used.length === 0 ? [] : rootsOf(root.from)) {
      // With a type the offset is that from the structure's start.
      if (root.container === undefined)
        of(parent.root).places.push({ offset: parent.offset + Number(root.offset), size: 8, pointee: used });
    }
  }
  return [...found.values()].filter(({ open }) => open).slice(0, MAX_VALUES);
}

/** Types of values whose uses are not named yet. */
function newShapes(
  kernel: Kernel,
  flow: FunctionFlow,
  machine: Machine,
  known: (origin: Origin) => bigint | undefined,
): readonly (readonly [Root, PointerShape])[] {
  try {
    return usesIn(flow, machine).flatMap((uses): readonly (readonly [Root, PointerShape])[] => {
      const shape = shapeFor(kernel, flow, machine, uses, known(uses.root));
      return shape === undefined ? [] : [[uses.root, shape]];
    });
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}

function shapeFor(
  kernel: Kernel,
  flow: FunctionFlow,
  machine: Machine,
  { root, places, passed, back }: Uses,
  value: bigint | undefined,
): PointerShape | undefined {
  const declared = structureOf(root.kind === "entry" ? root.type : "type" in root ? root.type : undefined);
  const object = value === undefined ? undefined : objectType(kernel, value);
  // The cache tells the type only of what nobody else names: a pointer that is used as another structure may be just the mistake.
  if (declared === undefined && passed.length === 0 && object !== undefined && value !== undefined) {
    const offset = Number(value - object.address);
    if (places.every((place) => isInside(object.type, offset + place.offset, place.size))) return pointer(object.type, offset);
  }
  const direct = [...new Set(passed)].filter((type) => places.every((place) => isInside(type, place.offset, place.size)));
  const [only] = direct;
  if (declared === undefined && only !== undefined && direct.every(({ name }) => name === only.name)) return pointer(only, 0);
  if (flow.module === undefined) return undefined;
  const own = ownStructures(kernel, flow.module);
  if (own.length === 0) return undefined;
  const size = root.kind === "result" ? allocationSize(flow, machine, root) : undefined;
  const slab = value === undefined || !kernel.arch.isKernelAddress(value) ? undefined : Slabs.of(kernel)?.objectOf(virtual(value));
  const isStart = slab !== undefined && slab.offset >= 0 && back === undefined && /^kmalloc/.test(slab.cache);
  const found = fittingStructure(own, {
    places: declared === undefined ? places : [{ offset: 0, size: 0, type: declared }, ...places],
    ...(size === undefined ? {} : { allocated: size }),
    ...(back === undefined || declared !== undefined ? {} : { back }),
    ...(isStart ? { objectSize: slab.objectSize, smallerSize: smallerCache(kernel, slab.objectSize), into: slab.offset } : {}),
    ...(isStart && value !== undefined
      ? {
          word: (offset: number) => kernel.memory.tryU64(virtual(BigInt.asUintN(64, value + BigInt(offset)))),
          mayBePointer: (word: bigint) => word === 0n || kernel.arch.isKernelAddress(word) || poisonOf(word) !== undefined || word < 4096n,
        }
      : {}),
  });
  if (found === undefined) return undefined;
  fitted(kernel).add(`struct ${found.type.name}`);
  return pointer(found.type, found.offset);
}

/** Of the caches of kmalloc() the next smaller one; 0 when there is none (arm64 had none below 128 bytes until 6.5). */
function smallerCache(kernel: Kernel, size: number): number {
  const sizes = kernel.memo(smallerCache, () =>
    slabCaches(kernel).caches.flatMap(({ name, objectSize }) => (/^kmalloc-\d+k?$/.test(name) ? [objectSize] : [])),
  );
  return Math.max(0, ...sizes.filter((each) => each < size));
}

/** Structures that were taken because they fit alone: named, but no ground to say that an object is of another type. */
function fitted(kernel: Kernel): Set<string> {
  return kernel.memo(fitted, () => new Set<string>());
}

export function isFitted(kernel: Kernel, container: string): boolean {
  return fitted(kernel).has(container);
}

const pointer = (target: CType, offset: number): PointerShape => ({ kind: "pointer", target, offset, stride: 0 });

function structureOf(type: CType | undefined): StructType | undefined {
  const shape = type === undefined ? undefined : shapeOfType(type);
  const target = shape?.kind === "pointer" ? strip(shape.target) : undefined;
  return target?.kind === "struct" && target.name !== undefined ? target : undefined;
}

function isInside(type: CType, offset: number, size: number): boolean {
  return offset >= 0 && membersAt({ kind: "pointer", target: type, offset, stride: 0 }, size).length > 0;
}
