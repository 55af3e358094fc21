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
import type { Origin } from "../../type-flow/origin.ts";
import type { Activation, Activations } from "./activation.ts";
import { countedStep, type Ground } from "./counted-step.ts";
import type { KnownValues } from "./known-values.ts";
import { loadStep } from "./load-step.ts";
import { loadText, type OriginStep, placeText, type ValueOrigin, valueText } from "./origin-step.ts";

/** Callers that are followed. */
const MAX_LEVELS = 5;
const MAX_STEPS = 16;

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

class Slice {
  readonly #ground: Ground;
  readonly #activations: Activations;
  readonly #values: KnownValues;
  readonly #steps: OriginStep[] = [];
  #type: CType | undefined;

  constructor(kernel: Kernel, activations: Activations, values: KnownValues) {
    this.#ground = { kernel, activations, values };
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
      case "load": {
        this.#type ??= origin.type;
        const { load, type } = loadStep(this.#ground, level, activation, origin, value);
        this.#type ??= type;
        return this.#push("load", level, activation, origin.pc, value, loadText(load), { load });
      }
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

  #sum(level: number, activation: Activation, origin: Extract<Origin, { readonly kind: "sum" }>, value: bigint): OriginStep["kind"] {
    const { from, added } = origin;
    const counted = added === undefined ? countedStep(this.#ground, level, activation, origin.pc, value) : undefined;
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
