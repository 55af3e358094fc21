/** What a survey takes down to be judged later: pointers, counters, and where the lists begin. */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Field } from "../../kernel/field.ts";
import type { TargetKind } from "./target-kind.ts";

export interface PointerFact {
  readonly type: string;
  readonly field: Field;
  readonly object: VirtualAddress;
  readonly value: bigint;
  readonly target: TargetKind;
  /** What it must be, by where the object was found. */
  readonly equals?: {
    readonly value: bigint;
    readonly what: string;
    /** Of the other word. */
    readonly address?: VirtualAddress;
    /** Only another pointer says so, which may itself be the damaged one. */
    readonly doubtful?: true;
  };
}

export interface CountFact {
  readonly type: string;
  readonly field: Field;
  readonly object: VirtualAddress;
  /** Sign-extended. */
  readonly value: bigint;
  /** "it is open in task 12": why there is a reference. */
  readonly why: string;
}

/** Where a list's head lies: in a structure, or in a variable of its own. */
export type Head =
  | { readonly address: VirtualAddress; readonly symbol: string }
  | { readonly type: string; readonly member: string; readonly object: VirtualAddress };
