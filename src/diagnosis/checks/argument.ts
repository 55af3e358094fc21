/**
 * What a function on the stack was passed: the value of an argument at its caller's call, and what that is in C. A function that only passes
 * its own argument on is followed outwards, until its type says where it lies.
 *
 *   refcount_warn_saturate(r)  ◄ lab_put at `lea 0x18(%rbx),%rdi; call`      r = &widget->users, widget still in rbx
 */
import { distance, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { CType } from "../../debug-info/c-type.ts";
import { stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import { containerName, type Origin, originText } from "../../type-flow/origin.ts";
import type { Activation } from "../fault/activation.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { objectType } from "../fault/object-type.ts";
import { slabRole } from "../fault/samples.ts";
import { tryIdentify } from "../fault/try-identify.ts";
import type { Verdict } from "../verdict.ts";

export type Case = Pick<FaultCase, "kernel" | "activations" | "values">;

export interface Argument {
  /** Activation that passed it. */
  readonly level: number;
  readonly register: string;
  readonly value: bigint;
  /** In C: "&widget->users", "urb->transfer_buffer". */
  readonly text?: string;
  readonly origin: Origin;
  /** It was read from memory again, which may have changed since. */
  readonly reread?: true;
}

/** The argument of the function at a level, as its caller passed it. */
export function argumentOf(found: Case, level: number, index: number): Argument | undefined {
  const { activations, values } = found;
  const register = activations.machine.arguments[index];
  const caller = activations.at(level + 1);
  if (register === undefined) return undefined;
  if (caller?.flow !== undefined) {
    const origin = caller.flow.originOf(caller.pc, register);
    const known = values.of(level + 1, origin);
    if (known !== undefined)
      return { ...made(level + 1, caller, register, known.value, origin), ...(known.reread === true ? { reread: true as const } : {}) };
  }
  // The function may still hold it itself.
  const own = activations.at(level);
  const kept = own?.flow === undefined ? undefined : heldParameter(found, level, own, register);
  if (own === undefined || kept === undefined) return undefined;
  if (caller?.flow === undefined) return made(level, own, register, kept, { kind: "entry", register });
  return made(level + 1, caller, register, kept, caller.flow.originOf(caller.pc, register));
}

function made(level: number, { flow, pc }: Activation, register: string, value: bigint, origin: Origin): Argument {
  const variable = flow?.at(pc)?.registers.get(register)?.variable;
  const text = originText(origin) ?? variable;
  return { level, register, value, origin, ...(text === undefined ? {} : { text }) };
}

/** A parameter that a register or slot of the function itself still holds at its instruction. */
function heldParameter({ values }: Case, level: number, { flow }: Activation, register: string): bigint | undefined {
  const type = flow?.type;
  const parameters: Origin[] = [{ kind: "entry", register }];
  if (type !== undefined) parameters.push({ kind: "parameter", index: 0, name: "", register, type: { kind: "void" } });
  for (const each of parameters) {
    const known = values.of(level, each);
    if (known !== undefined) return known.value;
  }
  return undefined;
}

/** The structure that an address lies in, and the member at it. */
export interface InStructure {
  readonly type: string;
  readonly member: string;
  readonly base: VirtualAddress;
  /** The type follows from the code, or only from the name of the slab cache. */
  readonly by: "code" | "slab cache";
}

/** Structures that are only part of others: what they count or link is the structure around them. */
const PARTS = /^(?:struct |union )?(?:refcount_struct|refcount_t|kref|atomic_t|atomic64_t|kobject|list_head|hlist_node|percpu_ref|device)$/;
const MAX_OUT = 5;

/**
 * Where a pointer that was passed leads into. The innermost typed structure that is no mere part of others; of parts the outermost.
 * @param size of what lies there
 */
export function structureOf(found: Case, argument: Argument, size: number): InStructure | undefined {
  let best: InStructure | undefined;
  let { level, register, value } = argument;
  for (let step = 0; step < MAX_OUT; step++) {
    const activation = found.activations.at(level);
    if (activation?.flow === undefined) break;
    const typed = typedAt(activation, register, argument.value, value, size);
    if (typed !== undefined) {
      best = typed;
      if (!PARTS.test(typed.type)) return typed;
    }
    // Passed on as it came.
    const passed = passedOn(activation.flow.originOf(activation.pc, register));
    const caller = passed === undefined ? undefined : found.activations.at(level + 1);
    if (passed === undefined || caller === undefined) break;
    value = BigInt.asUintN(64, value - passed.added);
    register = passed.register;
    level++;
  }
  const placed = inSlabObject(found.kernel, argument.value, size);
  return placed !== undefined && (best === undefined || PARTS.test(best.type)) ? placed : best;
}

function typedAt({ flow, pc }: Activation, register: string, address: bigint, value: bigint, size: number): InStructure | undefined {
  const fact = flow?.at(pc)?.registers.get(register);
  const pointer = fact?.type?.kind === "pointer" ? fact.type : undefined;
  const type = pointer === undefined ? undefined : containerName(pointer.target);
  if (pointer === undefined || type === undefined) return undefined;
  const base = BigInt.asUintN(64, value - BigInt(fact?.offset ?? 0));
  const members = membersAt(
    { kind: "pointer", target: pointer.target, offset: Number(BigInt.asIntN(64, address - base)), stride: 0 },
    size,
  );
  return members.length === 0 ? undefined : { type, member: plainPath(pathsOf(members)), base: virtual(base), by: "code" };
}

function passedOn(origin: Origin): { readonly register: string; readonly added: bigint } | undefined {
  if (origin.kind === "parameter" || origin.kind === "entry") return { register: origin.register, added: 0n };
  if (origin.kind !== "sum" || origin.from === undefined || origin.added === undefined) return undefined;
  const before = passedOn(origin.from);
  return before === undefined ? undefined : { register: before.register, added: before.added + origin.added };
}

/** By the slab cache's name; where caches were merged, by what fits. */
export function inSlabObject(kernel: Kernel, address: bigint, size: number): InStructure | undefined {
  const at = (type: CType, offset: number) => membersAt({ kind: "pointer", target: type, offset, stride: 0 }, size);
  const typed = objectType(kernel, address, (type, offset) => at(type, offset).length > 0);
  if (typed === undefined) return undefined;
  const members = at(typed.type, distance(virtual(address), virtual(typed.address)));
  return members.length === 0
    ? undefined
    : { type: typed.name, member: plainPath(pathsOf(members)), base: virtual(typed.address), by: "slab cache" };
}

/** A count within its wrappers is named by the member that is one: "users" of "users.refs.counter". */
export function plainPath(path: string): string {
  return path.replace(/(?:\.kref)?(?:\.refcount)?\.refs\.counter$/, "").replace(/\.counter$/, "") || path;
}

/** An object of the verdict from its address, with what its slab says. */
export function objectAt(
  kernel: Kernel,
  address: bigint,
  more: Pick<NonNullable<Verdict["object"]>, "type" | "member"> = {},
): NonNullable<Verdict["object"]> {
  const role = slabRole(tryIdentify(kernel, address));
  return { ...more, address, ...(role === undefined ? {} : { state: stateText(role.state), cache: role.cache }) };
}

/** The structure that a pointer leads to the start of, by the type it has in its caller. */
export function pointeeOf({ activations }: Case, { level, register }: Argument): string | undefined {
  const activation = activations.at(level);
  const fact = activation?.flow?.at(activation.pc)?.registers.get(register);
  if (fact?.type?.kind !== "pointer" || (fact.offset ?? 0) !== 0) return undefined;
  return containerName(fact.type.target);
}

/** The member that an argument's value was loaded from. */
export interface LoadedFrom {
  readonly container: string | undefined;
  readonly member: string | undefined;
  /** Structure's start. */
  readonly base: bigint | undefined;
  readonly address: bigint | undefined;
  readonly size: number;
}

export function loadedFrom({ values }: Case, { level, origin: whole }: Argument): LoadedFrom | undefined {
  // Where ways meet (a value or 0) the one that loads it.
  const loads = (whole.kind === "merge" ? whole.of : [whole]).filter((each) => each.kind === "load");
  const [origin] = loads;
  if (origin === undefined || loads.length > 1) return undefined;
  const place = values.place(level, origin);
  const base = place === undefined || origin.container === undefined ? undefined : BigInt.asUintN(64, place.address - origin.offset);
  return { container: origin.container, member: origin.member, base, address: place?.address, size: place?.size ?? 8 };
}
