/**
 * Where a value came from within its function, step by step back: a parameter, a member that was loaded from another value, the result of
 * a call, an address, a constant, or several of these where ways meet. Copies between registers and stack slots are passed over.
 *
 *   rbx at +0x37 = file->private_data, loaded at +0x12 ◄── file = parameter 0
 */
import type { CType } from "../debug-info/c-type.ts";
import { isNoAddress, shapeOfType } from "./shape.ts";

/** One link of the chain. `pc` is the instruction that gave the value; undefined for what the function was entered with. */
export type Origin =
  | { readonly kind: "parameter"; readonly index: number; readonly name: string; readonly register: string; readonly type: CType }
  /** A register on entry that is no known parameter; `type` when something outside of the function tells it. */
  | { readonly kind: "entry"; readonly register: string; readonly type?: CType }
  | {
      readonly kind: "load";
      readonly pc: bigint;
      /** "private_data", "a.b[3]"; undefined when it is not known what lies there. */
      readonly member: string | undefined;
      /** Bytes from the base's value. */
      readonly offset: bigint;
      /** Tag of the structure: "struct file". */
      readonly container: string | undefined;
      /** The pointer that was followed; undefined for variables and what is not known. */
      readonly from: Origin | undefined;
      /** Variable of the debug information that held that pointer there. */
      readonly base?: string;
      /** Name of the variable that was read, of one CPU's copy with `perCpu`. */
      readonly variable: string | undefined;
      readonly perCpu: boolean;
      readonly type: CType | undefined;
    }
  | { readonly kind: "result"; readonly pc: bigint; readonly callee: string | undefined; readonly type: CType | undefined }
  /** Not the result: what a call left in a register that it may change. */
  | { readonly kind: "clobbered"; readonly pc: bigint; readonly register: string }
  | { readonly kind: "constant"; readonly pc: bigint; readonly value: bigint }
  | {
      readonly kind: "address";
      readonly pc: bigint;
      readonly address: bigint;
      readonly variable: string | undefined;
      readonly perCpu: boolean;
    }
  /** struct task_struct of the running task (arm64: SP_EL0), this CPU's offset. */
  | { readonly kind: "system"; readonly pc: bigint; readonly register: string }
  /** The address of a local on the stack, from the canonical frame address. */
  | { readonly kind: "stack"; readonly pc: bigint | undefined; readonly offset: number }
  /** A sum; `from` is the pointer or number that something was added to. */
  | { readonly kind: "sum"; readonly pc: bigint; readonly from: Origin | undefined; readonly added: bigint | undefined }
  /** Where ways meet: each of the values. `pc` is where they do. */
  | { readonly kind: "merge"; readonly pc: bigint; readonly of: readonly Origin[] }
  | { readonly kind: "unknown"; readonly pc: bigint | undefined };

/** "struct file"; undefined for what has no tag. */
export function containerName(type: CType): string | undefined {
  let here = type;
  for (let depth = 0; depth < 16; depth++) {
    if ((here.kind === "struct" || here.kind === "union") && here.name !== undefined) return `${here.kind} ${here.name}`;
    if (here.kind === "typedef") {
      const shape = shapeOfType(here);
      if (shape === undefined && here.target.kind !== "struct" && here.target.kind !== "union") {
        here = here.target;
        continue;
      }
      if (here.target.kind === "struct" || here.target.kind === "union")
        return here.target.name === undefined ? here.name : `${here.target.kind} ${here.target.name}`;
      return here.name;
    }
    if (here.kind === "const" || here.kind === "volatile" || here.kind === "restrict" || here.kind === "tag") here = here.target;
    else return undefined;
  }
  return undefined;
}

/** The value in C, as far as it can be said: "file->private_data", "&runqueues", "sk_alloc()"; undefined when it cannot. */
export function originText(origin: Origin, depth = 0): string | undefined {
  if (depth > 3) return undefined;
  switch (origin.kind) {
    case "parameter":
      return origin.name;
    case "load": {
      // One of several members of a union is no expression.
      if (origin.member?.includes("|") === true) return undefined;
      if (origin.perCpu && (origin.variable === "current_task" || origin.member === "current_task")) return "current";
      if (origin.variable !== undefined) {
        const name = origin.perCpu ? `per_cpu(${origin.variable})` : origin.variable;
        return origin.member === undefined ? name : dotted(name, origin.member, ".");
      }
      if (origin.member === undefined) return undefined;
      const base =
        origin.base ??
        (origin.from === undefined ? undefined : originText(origin.from, depth + 1)) ??
        (origin.container === undefined ? undefined : `(${origin.container} *)`);
      if (base === undefined) return undefined;
      return origin.member === "" ? `*${base}` : dotted(base, origin.member, "->");
    }
    case "result":
      return origin.callee === undefined ? undefined : `${origin.callee}()`;
    case "constant":
      return origin.value < 10n ? origin.value.toString() : `0x${origin.value.toString(16)}`;
    case "address":
      return origin.variable === undefined
        ? `0x${origin.address.toString(16)}`
        : origin.perCpu
          ? `&per_cpu(${origin.variable})`
          : `&${origin.variable}`;
    case "system":
      return origin.register === "sp_el0" ? "current" : undefined;
    case "stack":
      return "&local";
    case "sum": {
      const base = origin.from === undefined ? undefined : originText(origin.from, depth + 1);
      if (base === undefined || origin.added === undefined) return undefined;
      if (origin.added === 0n) return base;
      return `${base} ${origin.added < 0n ? "-" : "+"} 0x${(origin.added < 0n ? -origin.added : origin.added).toString(16)}`;
    }
    case "merge": {
      // NULL or a poison on one of the ways adds nothing.
      const values = origin.of.filter((each) => each.kind !== "constant" || !isNoAddress(each.value));
      const told = [...new Set(values.map((each) => originText(each, depth + 1)))];
      return told.length === 1 ? told[0] : undefined;
    }
    default:
      return undefined;
  }
}

function dotted(base: string, member: string, between: "." | "->"): string {
  const plain = /^[&*]|[ ]/.test(base) && !base.startsWith("(") ? `(${base})` : base;
  return member.startsWith("[") ? `${plain}${member}` : `${plain}${between}${member}`;
}
