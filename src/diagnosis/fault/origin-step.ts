/** The steps of a backward slice, and how they are told. */
import { hex16 } from "../../bytes/address.ts";
import type { CType } from "../../debug-info/c-type.ts";
import { errnoName } from "../../linux/errno.ts";
import { containerName } from "../../type-flow/origin.ts";
import { shapeOfType } from "../../type-flow/shape.ts";
import type { Activation } from "./activation.ts";

/** Memory now against the register then. */
export type Comparison = "same" | "changed" | "unreadable" | "address unknown";

export interface LoadStep {
  /** "struct lab_request"; with `containerBy` when it follows from no type in the code. */
  readonly container?: string;
  /** The object's slab cache is named as this structure. */
  readonly containerBy?: "slab cache";
  /** The function's own prototype says so: the structure is that of the parameter that was followed. */
  readonly declared?: true;
  readonly member?: string;
  /** From the container's start; from the base where that is not known. */
  readonly offset?: bigint;
  /** The base's value, and the register that still holds it. */
  readonly base?: bigint;
  readonly held?: string;
  /** The index that was added to the base. */
  readonly index?: { readonly register: string; readonly value: bigint; readonly scale: number };
  readonly variable?: string;
  readonly address?: bigint;
  readonly size: number;
  readonly now?: bigint;
  readonly comparison: Comparison;
  /** The base was read from memory again: it may be another one than then. */
  readonly reread?: true;
  /** The pointer was a table's place with an index added. */
  readonly counted?: CountedStep;
  /** A loop had moved the pointer on, and from where is lost: the base is only where it was by then. */
  readonly moved?: true;
  /** A loop had moved the pointer on from the base: so many bytes from it the loop began. */
  readonly from?: bigint;
}

export interface CountedStep {
  /** A place in memory that is there. */
  readonly base: bigint;
  /** Bytes from there. */
  readonly index: bigint;
  /** Bytes that one step of the register is, when not one. */
  readonly scale?: number;
  /** Register that the index was in. */
  readonly register: string;
  /** Type of the base. */
  readonly type?: CType;
  /** The base leads so far into that type. */
  readonly into?: number;
}

export interface OriginStep {
  readonly kind: "load" | "argument" | "result" | "constant" | "address" | "stack" | "sum" | "merge" | "lost";
  /** 0: the function of the fault. */
  readonly level: number;
  readonly function: string;
  readonly module?: string;
  /** "f+0x37 [module]": the instruction that gave the value, or the call that passed it. */
  readonly place: string;
  readonly pc?: bigint;
  /** The value that is followed, before this step's arithmetic is undone. */
  readonly value: bigint;
  /** In words, in the grammar of the house. */
  readonly text: string;
  readonly load?: LoadStep;
  /** Of a sum with an index: the address that the index was added to. */
  readonly counted?: CountedStep;
  /** Name or number of the argument, of the function inside. */
  readonly argument?: string;
  /** The function that returned it. */
  readonly callee?: string;
}

export interface ValueOrigin {
  readonly value: bigint;
  readonly steps: readonly OriginStep[];
  /** Type of the value, when something on the way tells it. */
  readonly type?: CType;
  /** Where the slice ends: what memory held, what a function returned, a constant of the code … */
  readonly end: OriginStep["kind"];
}

/** "f+0x37 [module]". */
export function placeText(activation: Activation, pc: bigint): string {
  const offset = BigInt(activation.offset) + (pc - activation.pc);
  const module = activation.module === undefined ? "" : ` [${activation.module}]`;
  // A part that the compiler moved away lies elsewhere.
  return offset < 0n || offset > 0x40_0000n
    ? `${activation.function}${module}`
    : `${activation.function}+0x${offset.toString(16)}${module}`;
}

/** "0", "-ENOMEM", "ffff…": a pointer's value. */
export function valueText(value: bigint): string {
  if (value < 4096n) return value < 10n ? value.toString() : `0x${value.toString(16)}`;
  const negative = BigInt.asUintN(64, -value);
  if (negative <= 4095n) return errnoName(Number(negative)) === undefined ? `-${negative}` : `-${errnoName(Number(negative))}`;
  return hex16(value);
}

export function loadText({ container, member, offset, base, held, variable, address, comparison, now, size }: LoadStep): string {
  const register = held?.includes(" ") === true ? undefined : held;
  const holder = base === undefined ? "?" : (register ?? hex16(base));
  const plain = offset === undefined || offset === 0n ? "" : offset < 0n ? ` - 0x${(-offset).toString(16)}` : ` + 0x${offset.toString(16)}`;
  const what =
    variable !== undefined
      ? `${variable}${member === undefined ? "" : `${member.startsWith("[") ? "" : "."}${member}`}`
      : container !== undefined && member !== undefined
        ? `(${container} *)${holder}->${member}${offset === undefined ? "" : ` [+0x${BigInt.asUintN(64, offset).toString(16)}]`}`
        : base === undefined && address !== undefined
          ? "a variable"
          : `*(${holder}${plain})`;
  const where = address === undefined ? "" : ` at ${hex16(address)}`;
  switch (comparison) {
    case "same":
      return `loaded from ${what}${where}`;
    case "changed":
      return `loaded from ${what}${where}, which holds ${size === 8 ? valueText(now ?? 0n) : `0x${(now ?? 0n).toString(16)}`} now`;
    case "unreadable":
      return `loaded from ${what}${where}, which is not in the dump`;
    case "address unknown":
      return `loaded from ${what}`;
  }
}

/** Structure that a value of the type points to, with its tag. */
export function pointedTo(type: CType | undefined): { readonly target: CType; readonly name: string } | undefined {
  const shape = type === undefined ? undefined : shapeOfType(type);
  const name = shape?.kind === "pointer" ? containerName(shape.target) : undefined;
  return shape?.kind === "pointer" && name !== undefined ? { target: shape.target, name } : undefined;
}
