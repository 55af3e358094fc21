/**
 * The backward slice of a bad value: step by step to what gave it, out of the function into its callers, each step with the memory it
 * rests on compared as it is now with what the register held then.
 *
 *   rbx = 0 in lab_fault_map_segment+0x85
 *     ◄ loaded from (struct lab_request *)rbp->segment [+0x8] at ff3589d60298c2c8, which holds 0 now too
 *
 * Where ways meet the one is followed that can have given this value; when several can, they are named and the slice ends.
 */
import { hex16 } from "../../bytes/address.ts";
import type { CType } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import type { Expression } from "../../type-flow/operation.ts";
import type { Origin } from "../../type-flow/origin.ts";
import { registerParameters } from "../../type-flow/parameters.ts";
import type { Activation, Activations } from "./activation.ts";
import { anchorOf, isMoved } from "./anchor.ts";
import type { KnownValue, KnownValues } from "./known-values.ts";
import { objectType } from "./object-type.ts";
import {
  type Comparison,
  type CountedStep,
  type LoadStep,
  loadText,
  type OriginStep,
  placeText,
  pointedTo,
  type ValueOrigin,
  valueText,
} from "./origin-step.ts";

/** Callers that are followed. */
const MAX_LEVELS = 5;
const MAX_STEPS = 16;
/** Bytes that a loop may have moved a pointer on within one object. */
const MAX_MOVED = 1n << 16n;

/**
 * Follows a register's value back.
 * @param level activation to begin in
 */
export function valueOrigin(
  kernel: Kernel,
  activations: Activations,
  values: KnownValues,
  level: number,
  register: string,
  value: bigint,
): ValueOrigin {
  return new Slice(kernel, activations, values).follow(level, register, value);
}

/** The same of a value that an instruction takes from memory itself: `call *0x18(%rbx)`. */
export function loadOrigin(
  kernel: Kernel,
  activations: Activations,
  values: KnownValues,
  level: number,
  pc: bigint,
  value: bigint,
): ValueOrigin | undefined {
  const fact = activations.at(level)?.flow?.at(pc)?.operands[0];
  if (fact === undefined) return undefined;
  const origin: Origin = {
    kind: "load",
    pc,
    member: fact.member,
    offset: fact.offset === undefined ? fact.memory.displacement : BigInt(fact.offset),
    container: fact.container,
    from: fact.origin,
    variable: fact.variable,
    perCpu: fact.perCpu === true,
    type: fact.type,
  };
  return new Slice(kernel, activations, values).followFrom(level, origin, value);
}

/** Where a load belongs: to what its pointer was counted from. */
interface Anchored {
  readonly base: KnownValue;
  readonly leaf: Origin;
  readonly offset: bigint;
  readonly from?: bigint;
  readonly typed?: Typed;
}

interface Typed {
  readonly container: string;
  readonly member: string;
  readonly offset: bigint;
  readonly type: CType | undefined;
}

class Slice {
  readonly #kernel: Kernel;
  readonly #activations: Activations;
  readonly #values: KnownValues;
  readonly #steps: OriginStep[] = [];
  #type: CType | undefined;

  constructor(kernel: Kernel, activations: Activations, values: KnownValues) {
    this.#kernel = kernel;
    this.#activations = activations;
    this.#values = values;
  }

  follow(level: number, register: string, value: bigint): ValueOrigin {
    const end = this.#register(level, register, value);
    return { value, steps: this.#steps, ...(this.#type === undefined ? {} : { type: this.#type }), end };
  }

  followFrom(level: number, origin: Origin, value: bigint): ValueOrigin {
    const end = this.#origin(level, this.#activations.at(level) as Activation, origin, value);
    return { value, steps: this.#steps, ...(this.#type === undefined ? {} : { type: this.#type }), end };
  }

  #register(level: number, register: string, value: bigint): OriginStep["kind"] {
    const activation = this.#activations.at(level);
    if (activation?.flow === undefined) return "lost";
    return this.#origin(level, activation, activation.flow.originOf(activation.pc, register), value);
  }

  #origin(level: number, activation: Activation, origin: Origin, value: bigint): OriginStep["kind"] {
    if (this.#steps.length >= MAX_STEPS) return "lost";
    switch (origin.kind) {
      case "parameter":
        this.#type ??= origin.type;
        return this.#argument(level, origin.register, origin.name, value);
      case "entry":
        return this.#argument(level, origin.register, undefined, value);
      case "load":
        return this.#load(level, activation, origin, value);
      case "result": {
        this.#type ??= origin.type;
        const callee = origin.callee ?? "an indirect call";
        return this.#push("result", level, activation, origin.pc, value, `returned by ${callee} in ${placeText(activation, origin.pc)}`, {
          ...(origin.callee === undefined ? {} : { callee: origin.callee }),
        });
      }
      case "constant": {
        const name = value === 0n ? "NULL" : valueText(value);
        return this.#push("constant", level, activation, origin.pc, value, `set to ${name} at ${placeText(activation, origin.pc)}`);
      }
      case "address": {
        const name = `${origin.perCpu ? "this CPU's copy of " : "the address of "}${origin.variable ?? hex16(origin.address)}`;
        return this.#push("address", level, activation, origin.pc, value, `${name}, in ${placeText(activation, origin.pc)}`);
      }
      case "stack":
        return this.#push("stack", level, activation, origin.pc, value, `a local of ${activation.function}`);
      case "sum":
        return this.#sum(level, activation, origin, value);
      case "merge":
        return this.#merge(level, activation, origin, value);
      case "system":
        return this.#push("address", level, activation, origin.pc, value, `the machine register ${origin.register}`);
      case "clobbered":
      case "unknown":
        return this.#push("lost", level, activation, origin.pc, value, `computed in ${activation.function} in a way that is not followed`);
    }
  }

  #argument(level: number, register: string, name: string | undefined, value: bigint): OriginStep["kind"] {
    const inner = this.#activations.at(level) as Activation;
    const caller = level >= MAX_LEVELS ? undefined : this.#activations.at(level + 1);
    const number = this.#activations.machine.arguments.indexOf(register);
    const argument = name ?? (number < 0 ? register : `argument ${number + 1}`);
    if (caller?.flow === undefined) {
      const why = level >= MAX_LEVELS ? "" : ", whose registers are not known";
      return this.#push("lost", level, inner, undefined, value, `passed to ${inner.function} as ${argument} by its caller${why}`, {
        argument,
      });
    }
    // A register that calls preserve is the caller's own, and no argument.
    if (number >= 0) {
      const how = caller.byJump ? "which goes on there by a jump" : "";
      const text = `passed as ${argument} by ${placeText(caller, caller.pc)}${how === "" ? "" : `, ${how}`}`;
      this.#push("argument", level + 1, caller, caller.pc, value, text, { argument });
    }
    return this.#register(level + 1, register, value);
  }

  #load(level: number, activation: Activation, origin: Extract<Origin, { readonly kind: "load" }>, value: bigint): OriginStep["kind"] {
    this.#type ??= origin.type;
    const place = this.#values.place(level, origin);
    // The index alone is lost: what it was added to is still known.
    const table = place === undefined ? this.#values.table(level, origin) : undefined;
    const size = place?.size ?? 8;
    const now = place === undefined ? undefined : this.#values.read(place.address, size);
    const comparison: Comparison =
      place === undefined
        ? "address unknown"
        : now === undefined
          ? "unreadable"
          : now === BigInt.asUintN(size * 8, value)
            ? "same"
            : "changed";
    const anchor =
      origin.container === undefined && place !== undefined ? this.#anchored(level, origin.from, place.address, size) : undefined;
    const base = anchor?.base ?? place?.base ?? table;
    const sum = origin.from?.kind === "sum" && origin.from.added === undefined ? origin.from : undefined;
    const counted = sum === undefined || place?.base === undefined ? undefined : this.#counted(level, activation, sum.pc, place.base.value);
    const typed = anchor?.typed ?? (origin.container === undefined ? this.#byCache(base?.value, place?.address, size) : undefined);
    const container = origin.container ?? typed?.container;
    const member = origin.member ?? typed?.member;
    const isDeclared = container !== undefined && this.#declares(activation, anchor?.leaf ?? origin.from, container);
    const load: LoadStep = {
      ...(container === undefined ? {} : { container }),
      ...(isDeclared ? { declared: true as const } : {}),
      ...(typed === undefined || anchor?.typed !== undefined ? {} : { containerBy: "slab cache" as const }),
      ...(member === undefined ? {} : { member }),
      offset: typed?.offset ?? anchor?.offset ?? origin.offset,
      ...(anchor?.from === undefined ? {} : { from: anchor.from }),
      ...(origin.container === undefined && anchor === undefined && isMoved(origin.from) ? { moved: true as const } : {}),
      ...(base === undefined ? {} : { base: base.value }),
      ...(base?.held === undefined ? {} : { held: base.held }),
      ...(place?.index === undefined ? {} : { index: place.index }),
      ...(counted === undefined ? {} : { counted }),
      ...(origin.variable === undefined ? {} : { variable: origin.variable }),
      ...(place === undefined ? {} : { address: place.address }),
      size,
      ...(now === undefined ? {} : { now }),
      comparison,
      ...(base?.reread === true ? { reread: true as const } : {}),
    };
    if (typed?.type !== undefined) this.#type ??= typed.type;
    return this.#push("load", level, activation, origin.pc, value, loadText(load), { load });
  }

  #declares({ flow }: Activation, origin: Origin | undefined, container: string): boolean {
    if (origin?.kind !== "parameter" || flow?.type === undefined) return false;
    const own = registerParameters(flow.type, this.#activations.machine).find(({ register }) => register === origin.register);
    return pointedTo(own?.type)?.name === container;
  }

  /** The load went through a pointer that was moved: what it was counted from is the base, as long as the place may belong to that. */
  #anchored(level: number, pointer: Origin | undefined, address: bigint, size: number): Anchored | undefined {
    const anchor = anchorOf(this.#values, level, pointer);
    if (anchor === undefined || address < anchor.value || address - anchor.value > MAX_MOVED) return undefined;
    const offset = address - anchor.value;
    const base = {
      value: anchor.value,
      ...(anchor.held === undefined ? {} : { held: anchor.held }),
      ...(anchor.reread === undefined ? {} : { reread: true as const }),
    };
    const from = anchor.first === undefined ? {} : { from: anchor.first };
    const { type } = anchor;
    const { leaf } = anchor;
    if (type === undefined) return { base, leaf, offset, ...from };
    const [member] = membersAt({ kind: "pointer", target: type.target, offset: Number(offset), stride: 0 }, size);
    if (member === undefined) return undefined;
    const typed = { container: type.name, member: pathsOf([member]), offset, type: member.leftover === 0 ? member.type : undefined };
    return { base, leaf, offset, ...from, typed };
  }

  #byCache(base: bigint | undefined, address: bigint | undefined, size: number): Typed | undefined {
    if (base === undefined || address === undefined) return undefined;
    const object = objectType(this.#kernel, base);
    if (object === undefined) return undefined;
    const offset = address - object.address;
    const [member] = membersAt({ kind: "pointer", target: object.type, offset: Number(offset), stride: 0 }, size);
    if (member === undefined) return undefined;
    return { container: object.name, member: pathsOf([member]), offset, type: member.leftover === 0 ? member.type : undefined };
  }

  #sum(level: number, activation: Activation, origin: Extract<Origin, { readonly kind: "sum" }>, value: bigint): OriginStep["kind"] {
    const { from, added } = origin;
    const counted = added === undefined ? this.#counted(level, activation, origin.pc, value) : undefined;
    if (counted !== undefined) {
      const { base, index, register } = counted;
      const how = `${hex16(base)} ${index < 0n ? "-" : "+"} 0x${(index < 0n ? -index : index).toString(16)}, the index in ${register}`;
      return this.#push("sum", level, activation, origin.pc, value, `${how}, computed at ${placeText(activation, origin.pc)}`, { counted });
    }
    if (from === undefined || added === undefined) {
      return this.#push(
        "lost",
        level,
        activation,
        origin.pc,
        value,
        `a sum with an index that is not known, in ${placeText(activation, origin.pc)}`,
      );
    }
    const before = BigInt.asUintN(64, value - added);
    if (added !== 0n) {
      const how = added < 0n ? `${valueText(before)} - 0x${(-added).toString(16)}` : `${valueText(before)} + 0x${added.toString(16)}`;
      this.#push("sum", level, activation, origin.pc, value, `${how}, computed at ${placeText(activation, origin.pc)}`);
    }
    return this.#origin(level, activation, from, before);
  }

  /** Of the two registers of a sum the one that is an address: the other is the index, by what came out. */
  #counted(level: number, { flow }: Activation, pc: bigint, value: bigint): CountedStep | undefined {
    const facts = flow?.at(pc);
    if (facts === undefined || flow === undefined) return undefined;
    const { machine } = this.#activations;
    for (const effect of machine.operation(facts.instruction).effects) {
      if (effect.kind !== "register" || effect.width !== 8) continue;
      const parts = partsOf(effect.value).map((name) => ({ name, known: this.#values.register(level, name, pc)?.value }));
      const [one, other] = parts;
      if (one === undefined || other === undefined || one.name === other.name) continue;
      const bases = parts.filter(({ known }) => known !== undefined && this.#isPlace(known));
      const [base] = bases;
      if (base?.known === undefined || bases.length > 1) continue;
      const type = facts.registers.get(base.name)?.type;
      const index = BigInt.asIntN(64, value - base.known);
      return { base: base.known, index, register: base === one ? other.name : one.name, ...(type === undefined ? {} : { type }) };
    }
    return undefined;
  }

  #isPlace(value: bigint): boolean {
    return this.#kernel.arch.isKernelAddress(value) && this.#values.read(value, 1) !== undefined;
  }

  #merge(level: number, activation: Activation, origin: Extract<Origin, { readonly kind: "merge" }>, value: bigint): OriginStep["kind"] {
    const ways = origin.of.map((each) => ({ each, known: this.#values.of(level, each) }));
    const same = ways.filter(({ known }) => known?.value === value);
    const possible = ways.filter(({ each, known }) =>
      known === undefined ? couldBe(each) : known.value === value || known.reread === true,
    );
    // What memory holds now is another value: only those whose place is lost are left, and they may all be one line of the source.
    const lost = possible.filter(({ known }) => known === undefined);
    const alike = lost.length > 0 && lost.every(({ each }) => isAlike(each, (lost[0] as (typeof lost)[number]).each));
    const [way] = same.length === 1 ? same : possible.length === 1 ? possible : same.length === 0 && alike ? lost : [];
    for (const { each } of ways) if ("type" in each && each.type !== undefined) this.#type ??= each.type;
    if (way !== undefined) return this.#origin(level, activation, way.each, value);
    const candidates = (same.length > 1 ? same : possible).length;
    return this.#push(
      "merge",
      level,
      activation,
      origin.pc,
      value,
      `one of ${candidates} values that meet at ${placeText(activation, origin.pc)}`,
    );
  }

  #push(
    kind: OriginStep["kind"],
    level: number,
    activation: Activation,
    pc: bigint | undefined,
    value: bigint,
    text: string,
    more: Pick<OriginStep, "load" | "counted" | "argument" | "callee"> = {},
  ): OriginStep["kind"] {
    this.#steps.push({
      kind,
      level,
      function: activation.function,
      ...(activation.module === undefined ? {} : { module: activation.module }),
      place: placeText(activation, pc ?? activation.pc),
      ...(pc === undefined ? {} : { pc }),
      value,
      text,
      ...more,
    });
    return kind;
  }
}

/** The registers of a sum of two. */
function partsOf(value: Expression): readonly string[] {
  if (value.kind === "address") return [value.memory.base, value.memory.index].flatMap((name) => name ?? []);
  if (value.kind !== "sum") return [];
  return [value.left, value.right].flatMap((each) => (each.kind === "register" ? each.name : []));
}

/** Loads of one place in a structure: the head and the end of a loop, one line that the compiler made two of. */
function isAlike(a: Origin, b: Origin): boolean {
  if (a.kind === "sum" && b.kind === "sum")
    return a.added === b.added && a.from !== undefined && b.from !== undefined && isAlike(a.from, b.from);
  return a.kind === "load" && b.kind === "load" && a.variable === b.variable && a.offset === b.offset && a.container === b.container;
}

/** A way whose value is not known, but is no other for certain: constants are always known. */
function couldBe(origin: Origin): boolean {
  return origin.kind !== "constant" && origin.kind !== "address";
}
