/**
 * Which value of a fault is to blame, and which function: the fault's own, or the first caller that is no tool of others.
 *
 *   memcpy+0x6    rsi = 0x10               the helper's registers have moved on ...
 *   g+0x7         memcpy(…, file->inode)   ... so the argument is to blame that leads to the address, and g, which passed it
 *
 * Of an address of two registers it is the one that is no address; of a call the target; of a repeated string instruction where it began.
 */
import { virtual } from "../../bytes/address.ts";
import { identifyAddress } from "../../identity/identify.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import type { Activation } from "./activation.ts";
import type { AccessPath, BadValue, FaultCase, Parts } from "./fault-case.ts";
import type { FaultingAccess } from "./faulting-access.ts";
import { type Helper, helperOf, isTool } from "./helper-functions.ts";
import type { AddressPart } from "./operands.ts";
import { loadOrigin, valueOrigin } from "./origin.ts";
import { pointedTo } from "./origin-step.ts";
import { stringMove } from "./string-move.ts";
import { sameOperand, typedBy, typedByNull, typedPath } from "./typed-access.ts";

export function blame(parts: Parts, fault: Activation): Pick<FaultCase, "guilty" | "guiltyLevel" | "helper" | "bad" | "path"> {
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
