/**
 * What debug information knows of one file (vmlinux or a module): types by name as every TypeSource, and from addresses the source line,
 * the function, the calls inlined into it, and their variables. All addresses here are link-time ones (for a module: relocated to where
 * it was loaded); the kernel floor translates.
 */
import type { CType, FunctionType, TypeSource } from "./c-type.ts";
import type { AddressRange, Die } from "./dwarf/die.ts";

/** A place in the source. */
export interface SourcePlace {
  /** Path as the compiler saw it, relative ones joined to the unit's directory, "." and ".." resolved. */
  readonly file: string;
  readonly line: number;
  /** 0 when not known. */
  readonly column: number;
}

/** A row of the line table that covers addresses. */
export interface LineRow extends SourcePlace {
  readonly range: AddressRange;
  /** A good place for a breakpoint (is_stmt). */
  readonly statement: boolean;
}

/** A parameter or a local variable, concrete in one scope. */
export interface Variable {
  readonly kind: "parameter" | "local";
  readonly name: string;
  readonly type: CType;
  readonly declared: SourcePlace | undefined;
  /** The entry with the location; its unit evaluates it: `die.unit.locationAt(die, DW_AT_location, pc)`, or DW_AT_const_value. */
  readonly die: Die;
}

/** DW_TAG_call_site: what a caller knows of a call it makes. */
export interface CallSite {
  /** Link-time address behind the call. */
  readonly returnAddress: bigint;
  readonly tail: boolean;
  /** Name of the function called, for a direct call. */
  readonly target: string | undefined;
  /** Expressions over the CALLER's registers: where the argument went (`location`) and what it was (`value`). */
  readonly parameters: readonly { readonly location: Uint8Array; readonly value: Uint8Array; readonly die: Die }[];
  /** The call's entry: DW_AT_call_origin, DW_AT_call_target. */
  readonly die: Die;
}

/** A function, a call inlined into one, or a block within. */
export interface Scope {
  readonly kind: "function" | "inlined" | "block";
  /** Function's name, also for an inlined one; undefined for a block. */
  readonly name: string | undefined;
  readonly ranges: readonly AddressRange[];
  /** First instruction, for functions and inlined ones where known. */
  readonly entry: bigint | undefined;
  /** inlined: where it was called, in the scope around it. */
  readonly call: SourcePlace | undefined;
  readonly declared: SourcePlace | undefined;
  /** Prototype; undefined for a block. */
  readonly type: FunctionType | undefined;
  /** Own parameters (in order) and locals, not those of inner scopes. */
  readonly variables: readonly Variable[];
  /** function: the calls it makes, those of its inlined parts too; sorted by return address. */
  readonly callSites: readonly CallSite[];
  readonly die: Die;
}

/** A variable of static storage. */
export interface GlobalVariable {
  readonly name: string;
  readonly type: CType;
  /** Link-time address, or the offset for a per-CPU variable of a kernel whose per-CPU section starts at 0; undefined when optimised out. */
  readonly address: bigint | undefined;
  readonly external: boolean;
  readonly declared: SourcePlace | undefined;
  /** Function in which a static variable lives. */
  readonly scope: string | undefined;
}

/** A rule row of call-frame information: how to find the caller's registers from this frame's. */
export type RegisterRule =
  | { readonly kind: "undefined" | "same" }
  /** *(CFA + offset), CFA + offset. */
  | { readonly kind: "at cfa" | "is cfa"; readonly offset: number }
  | { readonly kind: "register"; readonly register: number }
  /** *(expression), expression; the CFA is pushed first. */
  | { readonly kind: "at expression" | "is expression"; readonly expression: Uint8Array };

export interface FrameRow {
  readonly cfa: { readonly register: number; readonly offset: number } | { readonly expression: Uint8Array };
  /** By DWARF register number; what is not named follows the machine's default. */
  readonly registers: ReadonlyMap<number, RegisterRule>;
  readonly returnRegister: number;
  /** CIE augmentation S: the caller's pc is the very instruction, not a return address. */
  readonly signal: boolean;
  /** arm64: return address signed at this pc (DW_CFA_AARCH64_negate_ra_state). */
  readonly signed: boolean;
}

/** Debug information of one file. */
export interface DebugInfo extends TypeSource {
  readonly file: string;
  /** Line table's answer for an address; undefined where it has none. */
  lineAt(address: bigint): LineRow | undefined;
  /** The row that gdb shows for an address: of several at one address the last that begins a statement. As lineAt where that is absent. */
  statementAt?(address: bigint): LineRow | undefined;
  /** Rows of a function or any range, in address order. */
  lines(range: AddressRange): Iterable<LineRow>;
  /** Addresses of a source line (`file` may be a path's tail: "mm/slub.c"); the first row of each run of rows. */
  addressesOf(file: string, line: number): readonly LineRow[];
  /** Scopes around an address, innermost first; the last is the function. Empty when the file does not describe it. */
  scopesAt(address: bigint): readonly Scope[];
  /** Every concrete function of that name. */
  functions(name: string): readonly Scope[];
  /** Every variable of static storage of that name. */
  variables(name: string): readonly GlobalVariable[];
  /** Call-frame information for a pc: .debug_frame, then .eh_frame. */
  frameRow(pc: bigint): FrameRow | undefined;
  /** Starts in the background what many answers will need (the index of names); where that cannot be done, nothing happens. */
  prepare?(): void;
}
