/**
 * All that is known of one fault before anything is concluded: what every detector is given.
 *
 *   log ─► subject ─► registers at the fault ─► operand that faulted ─► where its bad value came from ─► identities of all addresses
 */
import { hex16, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { identifyAddress } from "../../identity/identify.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AddressIdentity } from "../../linux/address-identity.ts";
import { poisonOf } from "../../linux/poison.ts";
import type { OperandFact } from "../../type-flow/function-flow.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import type { Origin } from "../../type-flow/origin.ts";
import type { EventFamily } from "../subject/log-events.ts";
import { type Subject, subjectOf } from "../subject/subject.ts";
import type { Access } from "../verdict.ts";
import type { Activation, Activations } from "./activation.ts";
import { type FaultState, faultState } from "./cpu-state.ts";
import { type Helper, helperOf, isTool } from "./helper-functions.ts";
import type { KnownValues } from "./known-values.ts";
import { nullType } from "./null-type.ts";
import { type AddressPart, type FaultingAccess, faultingAccess } from "./operands.ts";
import { loadOrigin, valueOrigin } from "./origin.ts";
import { type LoadStep, loadText, type OriginStep, pointedTo, type ValueOrigin, valueText } from "./origin-step.ts";
import { poisonedEntry } from "./poisoned-entry.ts";
import { checkedAccess } from "./shadow-fault.ts";
import { type StringMove, stringMove } from "./string-move.ts";
import { tracedCalls } from "./traced-calls.ts";

/** The value to blame: a pointer of the faulting address, or the target of a call. */
export interface BadValue {
  readonly value: bigint;
  /** Register that held it, at the activation of that level. */
  readonly register?: string;
  readonly level: number;
  /** Bytes from it to the address that faulted. */
  readonly offset: bigint;
  readonly identity: AddressIdentity;
  readonly origin?: ValueOrigin;
}

/** What was accessed, typed as far as it can be. */
export interface AccessPath {
  readonly access: Access;
  readonly address: bigint;
  readonly container?: string;
  readonly member?: string;
  /** From the container's start. */
  readonly offset?: bigint;
  /** The base in C, as the code has it: "request->segment", or a variable of the debug information. */
  readonly base?: string;
  /** Start of the container, where that is not the bad value. */
  readonly object?: bigint;
  /** It was a step of a copy or a fill, which began at the bad value. */
  readonly copy?: StringMove;
}

export interface FaultCase {
  readonly kernel: Kernel;
  readonly subject: Subject;
  readonly state: FaultState;
  readonly access: FaultingAccess;
  readonly activations: Activations;
  readonly values: KnownValues;
  /** The function to blame: the fault's own, or the caller of a helper. */
  readonly guilty: Activation;
  /** Place of it among the activations. */
  readonly guiltyLevel: number;
  /** The helper that the fault was in. */
  readonly helper?: Helper;
  readonly bad?: BadValue;
  readonly path?: AccessPath;
}

export interface NoFault {
  readonly subject: Subject;
  /** Why there is no fault to look into. */
  readonly reason: string;
}

/** Looks into the fault that a dump died of; once per dump. The machine's disassembler must have been loaded. */
export function faultCase(kernel: Kernel): FaultCase | NoFault {
  return kernel.memo(faultCase, () => faultCaseOf(kernel, subjectOf(kernel)));
}

/** Families of events whose CPU state tells something: a stalled CPU is not where the trouble is. */
const FAULTS: ReadonlySet<EventFamily> = new Set(["fault", "assertion", "corruption", "warning"]);

/** The same of a subject that was found in another way, or is not to be looked for in the log. */
export function faultCaseOf(kernel: Kernel, subject: Subject): FaultCase | NoFault {
  const { event } = subject;
  if (event?.family === "deliberate") return { subject, reason: `the crash was asked for: ${event.text}` };
  if (event !== undefined && !FAULTS.has(event.family)) return { subject, reason: `nothing faulted: ${event.text}` };
  const state = faultState(kernel, subject);
  return "reason" in state ? { subject, reason: state.reason } : faultCaseAt(kernel, subject, state);
}

/** The same of registers that are known. */
export function faultCaseAt(kernel: Kernel, subject: Subject, state: FaultState): FaultCase {
  const { activations, values } = tracedCalls(kernel, state, subject.cpu, subject.task?.address);
  const fault = activations.at(0) as Activation;
  const access = checkedAccess(kernel, faultingAccess(kernel, state, fault, activations.at(1), subject.cpu), fault);
  const parts = { kernel, subject, state, access, activations, values };
  const blamed = blame(parts, fault);
  const bad = blamed.bad === undefined ? undefined : withEntry(parts, blamed.bad, blamed.path);
  return { ...parts, ...blamed, ...(bad === undefined ? {} : { bad }) };
}

/** A poisoned link whose entry the slice lost: found by what still points at it. */
function withEntry({ kernel, subject, state, activations, values }: Parts, bad: BadValue, path: AccessPath | undefined): BadValue {
  const poison = poisonOf(bad.value);
  const { origin } = bad;
  if (poison?.name.startsWith("LIST_POISON") !== true || origin === undefined || sourceOf({ bad })?.address !== undefined) return bad;
  const back = BigInt(-poison.offset);
  if (back < 0n) return bad;
  const at = activations.at(bad.level) as Activation;
  const from = bad.register === undefined ? undefined : at.flow?.originOf(at.pc, bad.register);
  const others = from === undefined ? [] : waysOf(from).flatMap((way) => values.of(bad.level, way)?.value ?? []);
  const words = [...at.registers.values(), ...others];
  const entry = poisonedEntry(kernel, { poison: poison.value, offset: back, sp: state.registers.sp, words, cpu: subject.cpu });
  if (entry === undefined) return bad;
  const last = origin.steps.findLast(({ kind }) => kind === "load" || kind === "merge") ?? origin.steps.at(-1);
  const steps = origin.steps.filter((each) => each !== last);
  const container = path?.container ?? origin.steps.find(({ load }) => load?.container !== undefined)?.load?.container;
  const type = container === undefined ? undefined : kernel.types.find("struct", container.replace(/^struct /, ""), { modules: true });
  const members = type === undefined ? [] : membersAt({ kind: "pointer", target: type, offset: Number(back), stride: 0 }, 8);
  const load: LoadStep = {
    ...(members.length === 0 || container === undefined ? {} : { container, member: pathsOf(members) }),
    offset: back,
    base: entry.base,
    address: entry.address,
    size: 8,
    now: poison.value,
    comparison: "same",
  };
  const level = last?.level ?? 0;
  const text = loadText(load);
  const step: OriginStep = { kind: "load", level, function: at.function, place: activationText(at), value: poison.value, text, load };
  return { ...bad, origin: { ...origin, steps: [...steps, step], end: "load" } };
}

type Parts = Pick<FaultCase, "kernel" | "subject" | "state" | "access" | "activations" | "values">;

function blame(parts: Parts, fault: Activation): Pick<FaultCase, "guilty" | "guiltyLevel" | "helper" | "bad" | "path"> {
  const { access, activations } = parts;
  const helper = helperOf(fault.function);
  if (access.kind === "fetch") {
    const caller = access.call?.address === fault.pc ? fault : activations.at(1);
    const level = caller === fault ? 0 : 1;
    return { guilty: caller ?? fault, guiltyLevel: caller === undefined ? 0 : level, ...fetched(parts, level) };
  }
  let guiltyLevel = 0;
  while (guiltyLevel < MAX_TOOLS && isTool(activations.at(guiltyLevel)) && activations.at(guiltyLevel + 1) !== undefined) guiltyLevel++;
  // Tools all the way: nobody there was asked by anyone that is known.
  if (isTool(activations.at(guiltyLevel))) guiltyLevel = 0;
  const guilty = activations.at(guiltyLevel) as Activation;
  const touched = access.kind === "memory" ? touchedValue(parts, access, fault, helper) : {};
  const found = guiltyLevel === 0 ? touched : passedOn(parts, touched, guilty, guiltyLevel);
  return { guilty, guiltyLevel, ...(helper === undefined ? {} : { helper }), ...found };
}

/** The values that meet in one, and what they are sums of. */
function waysOf(origin: Origin, depth = 0): readonly Origin[] {
  if (depth > 4) return [];
  if (origin.kind === "merge") return origin.of.flatMap((each) => waysOf(each, depth + 1));
  return origin.kind === "sum" && origin.from !== undefined ? [origin, ...waysOf(origin.from, depth + 1)] : [origin];
}

/** Callers that are passed over. */
const MAX_TOOLS = 6;

/**
 * A tool was given the address of a member: `mutex_lock(&port->lock)`. Then the structure around it is what the caller meant.
 */
function passedOn(
  { activations, values }: Parts,
  touched: Pick<FaultCase, "bad" | "path">,
  guilty: Activation,
  level: number,
): Pick<FaultCase, "bad" | "path"> {
  const { bad, path } = touched;
  const facts = guilty.flow?.at(guilty.pc);
  if (bad === undefined || path === undefined || facts === undefined || guilty.flow === undefined) return touched;
  for (const register of activations.machine.arguments) {
    const fact = facts.registers.get(register);
    const target = fact?.offset === undefined || fact.offset === 0 ? undefined : pointedTo(fact.type);
    if (target === undefined || fact?.offset === undefined) continue;
    const value = values.of(level, guilty.flow.originOf(guilty.pc, register))?.value;
    if (value === undefined || (value !== bad.value && (path.address < value || path.address - value > MAX_EMBEDDED))) continue;
    const members = membersAt({ kind: "pointer", target: target.target, offset: fact.offset, stride: 0 }, 0);
    if (members.length === 0) continue;
    return {
      bad,
      path: {
        access: path.access,
        address: path.address,
        container: target.name,
        member: pathsOf(members),
        offset: BigInt(fact.offset),
        object: BigInt.asUintN(64, value - BigInt(fact.offset)),
      },
    };
  }
  return touched;
}

/** Bytes of a lock, a list or another structure that is a member. */
const MAX_EMBEDDED = 512n;

/** A call through a bad pointer: where the pointer came from. */
function fetched({ kernel, access, activations, values }: Parts, level: number): Pick<FaultCase, "bad" | "path"> {
  if (access.kind !== "fetch") return {};
  const { target, through } = access;
  const path: AccessPath = { access: { kind: "execute" }, address: target };
  const identity = identifyAddress(kernel, target);
  if (through === undefined) return { bad: { value: target, level, offset: 0n, identity }, path };
  if ("value" in through) {
    const { register } = through;
    const origin =
      activations.at(level)?.flow === undefined ? undefined : valueOrigin(kernel, activations, values, level, register, target);
    return { bad: { value: target, register, level, offset: 0n, identity, ...(origin === undefined ? {} : { origin }) }, path };
  }
  // `call *0x18(%rbx)`: the instruction itself loads it.
  const { call } = access;
  const origin = call === undefined ? undefined : loadOrigin(kernel, activations, values, level, call.address, target);
  return { bad: { value: target, level, offset: 0n, identity, ...(origin === undefined ? {} : { origin }) }, path };
}

function touchedValue(
  { kernel, state, activations, values }: Parts,
  { culprit, address, instruction, shadow }: Extract<FaultingAccess, { readonly kind: "memory" }>,
  fault: Activation,
  helper: Helper | undefined,
): Pick<FaultCase, "bad" | "path"> {
  // Of a check of KASAN the CPU tells the look at the shadow.
  const told = shadow === undefined ? state.exception?.access : undefined;
  const kind = told === "read" || told === "write" ? told : culprit.access === "read" ? "read" : "write";
  const part = badPart(kernel, culprit.base, culprit.index);
  const fact = fault.flow
    ?.at(culprit.pc ?? instruction.address)
    ?.operands.find(({ memory }) => memory === culprit.memory || sameOperand(memory, culprit.memory));
  const size = culprit.size > 0 ? { size: culprit.size } : {};
  if (part === undefined) {
    const path: AccessPath = {
      access: { kind, ...size },
      address,
      ...typedBy(fact),
      ...typedByNull(kernel, fault, 0n, address, culprit.size),
    };
    // The address is a constant of the instruction: the code itself had it so.
    return { path, bad: { value: address, level: 0, offset: 0n, identity: identifyAddress(kernel, address) } };
  }
  const copy = stringMove(activations, values, instruction, culprit.size);
  const start = BigInt.asUintN(64, part.value - (copy?.done ?? 0n));
  const followed = fault.flow === undefined ? undefined : valueOrigin(kernel, activations, values, 0, part.register, start);
  // A repeated string instruction has moved its registers on: only memory that holds the very value says where that came from.
  const moved =
    copy === undefined &&
    culprit.reach > 0 &&
    followed?.end !== "stack" &&
    followed?.steps.find(({ load }) => load !== undefined)?.load?.comparison !== "same";
  const origin = moved ? undefined : followed;
  const passed = helper === undefined ? undefined : argumentOf({ activations, values }, helper, kind, address);
  if (passed !== undefined) {
    // Registers move on while a helper goes through memory, in `rep movs` even without a definition of theirs in the code.
    const before = valueOrigin(kernel, activations, values, 1, passed.register, passed.value);
    const offset = distanceTo(kernel, passed.value, address);
    const bad: BadValue = { ...passed, level: 1, offset, identity: identifyAddress(kernel, passed.value), origin: before };
    const same = copy !== undefined && offset === copy.done ? { copy } : {};
    return { bad, path: { access: { kind, ...size }, address, ...same } };
  }
  const offset = distanceTo(kernel, start, address);
  const isBase = culprit.base?.register === part.register && culprit.index === undefined;
  const path: AccessPath = {
    access: { kind, ...size },
    address,
    ...(isBase && helper === undefined
      ? typedPath(kernel, fault, copy === undefined ? fact : undefined, origin, start, offset, culprit.size)
      : {}),
    ...(copy === undefined ? {} : { copy }),
  };
  return {
    bad: {
      value: start,
      register: part.register,
      level: 0,
      offset,
      identity: identifyAddress(kernel, start),
      ...(origin === undefined ? {} : { origin }),
    },
    path,
  };
}

/** Signed. The top byte of arm64's addresses is a tag, which what is reported of a fault leaves out: it is no distance. */
function distanceTo(kernel: Kernel, from: bigint, to: bigint): bigint {
  return BigInt.asIntN(kernel.arch.name === "aarch64" ? 56 : 64, to - from);
}

/** Bytes that one call of a helper goes through at most. */
const MAX_COPY = 1n << 24n;

/** Which of a helper's pointers leads to the address: the nearest below it of those that are read, or written. */
function argumentOf(
  { activations, values }: Pick<Parts, "activations" | "values">,
  helper: Helper,
  kind: "read" | "write",
  address: bigint,
): { readonly register: string; readonly value: bigint } | undefined {
  const caller = activations.at(1);
  if (caller?.flow === undefined) return undefined;
  let best: { readonly register: string; readonly value: bigint } | undefined;
  for (const index of kind === "read" ? helper.reads : helper.writes) {
    const register = activations.machine.arguments[index];
    const value = register === undefined ? undefined : values.of(1, caller.flow.originOf(caller.pc, register))?.value;
    if (register === undefined || value === undefined || value > address || address - value >= MAX_COPY) continue;
    if (best === undefined || value > best.value) best = { register, value };
  }
  return best;
}

/** Of base and index the one that is no address; the base when both could be. */
function badPart(kernel: Kernel, base: AddressPart | undefined, index: AddressPart | undefined): AddressPart | undefined {
  if (base === undefined || index === undefined) return base ?? index;
  return kernel.arch.isKernelAddress(base.value) && kernel.memory.tryBytes(virtual(base.value), 1) !== undefined ? index : base;
}

function sameOperand(a: OperandFact["memory"], b: OperandFact["memory"] | undefined): boolean {
  return b !== undefined && a.base === b.base && a.index === b.index && a.displacement === b.displacement && a.segment === b.segment;
}

function typedBy(fact: OperandFact | undefined): Pick<AccessPath, "container" | "member" | "offset" | "base"> {
  // A number that a pointer leads to is no member.
  if (fact?.container === undefined || fact.member === undefined || fact.member === "") return {};
  // An element of an array of numbers has no structure.
  if (fact.member.startsWith("[") && !/^(?:struct|union) /.test(fact.container)) return {};
  // "(struct tx_ring *)->count": no name of it is known.
  const arrow = fact.text?.includes("*)->") === true ? -1 : (fact.text?.lastIndexOf("->") ?? -1);
  return {
    container: fact.container,
    member: fact.member,
    ...(fact.offset === undefined ? {} : { offset: BigInt(fact.offset) }),
    ...(arrow > 0 && fact.text !== undefined ? { base: fact.text.slice(0, arrow) } : {}),
  };
}

type TypedPath = Pick<AccessPath, "container" | "member" | "offset" | "base" | "object">;

function typedPath(
  kernel: Kernel,
  fault: Activation,
  fact: OperandFact | undefined,
  origin: ValueOrigin | undefined,
  value: bigint,
  offset: bigint,
  size: number,
): TypedPath {
  const byFlow = typedBy(fact);
  if (byFlow.member !== undefined) return byFlow;
  const byOrigin = typedByOrigin(origin, offset, size);
  return byOrigin.member === undefined ? typedByNull(kernel, fault, value, offset, size) : byOrigin;
}

/** The code itself has the NULL. */
function typedByNull(kernel: Kernel, { pc, module }: Activation, value: bigint, offset: bigint, size: number): TypedPath {
  if (value !== 0n || offset < 0n || offset > 1n << 20n) return {};
  const found = nullType(kernel, pc, module, Number(offset), size);
  if (found === undefined) return {};
  const members = membersAt({ kind: "pointer", target: found.type, offset: Number(offset), stride: 0 }, size);
  return {
    container: `struct ${found.type.name}`,
    member: pathsOf(members),
    offset,
    object: value,
    ...(found.variable === undefined ? {} : { base: found.variable }),
  };
}

/** Where the flow lost the type on one of several ways, the way that the value came tells it. */
function typedByOrigin(origin: ValueOrigin | undefined, offset: bigint, size: number): Pick<AccessPath, "container" | "member" | "offset"> {
  // Arithmetic on the way moved the pointer: the type is of another place.
  if (origin === undefined || origin.steps.some(({ kind }) => kind === "sum")) return {};
  const target = pointedTo(origin.type);
  if (target === undefined || offset < 0n || offset > 1n << 20n) return {};
  const members = membersAt({ kind: "pointer", target: target.target, offset: Number(offset), stride: 0 }, size);
  const member = pathsOf(members);
  return member === "" ? {} : { container: target.name, member, offset };
}

/** "f+0x37 [module]" of an activation. */
export function activationText({ function: name, offset, module }: Activation): string {
  return `${name}+0x${offset.toString(16)}${module === undefined ? "" : ` [${module}]`}`;
}

/** The access in the grammar of the house: "read of (struct tun_struct *)0->flags [+0x804] in tun_get_drvinfo+0x37 [tun]". */
export function accessText(fault: FaultCase): string | undefined {
  const { access, bad, path, activations, guilty, guiltyLevel } = fault;
  if (path === undefined || bad === undefined) return undefined;
  const innermost = activations.at(0) as Activation;
  if (access.kind === "fetch") return `call of ${valueText(bad.value)} in ${activationText(guilty)}`;
  const base = valueText(path.object ?? bad.value);
  const typed =
    path.container !== undefined && path.member !== undefined
      ? `(${path.container} *)${base}->${path.member} [${signedHex(path.offset ?? bad.offset)}]`
      : isIndex(fault)
        ? hex16(path.address)
        : bad.offset === 0n
          ? base
          : `${base} ${signedHex(bad.offset)}`;
  const caller = guiltyLevel > 0 ? `, called by ${activationText(guilty)}` : "";
  return `${path.access.kind} of ${typed} in ${activationText(innermost)}${caller}`;
}

/** The bad value is an index: it is added to a register, or to an address in the instruction. */
export function isIndex({ access, bad, kernel }: FaultCase): boolean {
  if (access.kind !== "memory" || bad?.register === undefined) return false;
  const { base, index, displacement } = access.culprit;
  if (index !== undefined && index.register === bad.register) return base !== undefined || displacement !== 0n;
  return kernel.arch.isKernelAddress(BigInt.asUintN(64, displacement)) && -displacement > MAX_BACK;
}

/** Bytes that a structure may lie before the member that a pointer leads to. */
const MAX_BACK = 1n << 24n;

function signedHex(offset: bigint): string {
  return offset < 0n ? `-0x${(-offset).toString(16)}` : `+0x${offset.toString(16)}`;
}

/** Where the bad value came from, in the grammar of the house; undefined when nothing is known of it. */
export function originText({ bad }: Pick<FaultCase, "bad">): string | undefined {
  const steps = bad?.origin?.steps ?? [];
  const told = steps.filter(({ kind }) => kind !== "lost").map(({ text }) => text);
  return told.length === 0 ? undefined : told.join("; ");
}

/** The memory that the bad value was loaded from, where the slice found it. */
export function sourceOf({ bad }: Pick<FaultCase, "bad">) {
  return bad?.origin?.steps.find(({ load }) => load !== undefined)?.load;
}

/** An identity that may fail on memory that is damaged. */
export function tryIdentify(kernel: Kernel, address: bigint): AddressIdentity | undefined {
  try {
    return identifyAddress(kernel, address);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
