/**
 * A kernel report found in text, before any conclusion: what the kernel printed, field by field (reference of the formats: the kernel's own
 * printing functions, named in each parser).
 *
 *   text ─► lines (prefix off: time, level, caller, CPU) ─► contexts kept apart ─► reports: head … end ─► fields ─► classify.ts
 */
import type { VerdictFrame } from "../verdict.ts";

/** A line with its prefixes taken off. */
export interface LogLine {
  /** Number in the input, from 1. */
  readonly number: number;
  /** Byte offset in the input. */
  readonly offset: number;
  readonly text: string;
  /** Seconds since boot, when the line tells. */
  readonly time?: number;
  readonly level?: number;
  /** "T123", "C1" of CONFIG_PRINTK_CALLER; undefined without. */
  readonly caller?: string;
}

export type ReportFamily =
  | "oops" // page faults, GPF, BUG(), invalid opcode, divide error, arm and arm64 aborts, riscv, s390x, ppc64
  | "warning"
  | "kasan"
  | "kmsan"
  | "kcsan"
  | "kfence"
  | "ubsan"
  | "slub"
  | "list"
  | "refcount"
  | "lockdep"
  | "context" // scheduling while atomic, sleeping function, using smp_processor_id()
  | "hung-task"
  | "soft-lockup"
  | "hard-lockup"
  | "rcu-stall"
  | "workqueue-lockup"
  | "oom"
  | "kmemleak"
  | "page-state"
  | "stack"
  | "machine-check"
  | "panic"
  | "other";

export interface LogReport {
  readonly family: ReportFamily;
  /** The head line that began it, prefixes off. */
  readonly head: string;
  readonly first: LogLine;
  readonly last: LogLine;
  /** All its lines, of its own context only. */
  readonly lines: readonly LogLine[];
  readonly machine?: "x86_64" | "i386" | "arm64" | "arm" | "riscv" | "s390x" | "ppc64" | "mips" | "loongarch64" | "sparc64";
  readonly cpu?: number;
  readonly pid?: number;
  readonly comm?: string;
  readonly release?: string;
  readonly hardware?: string;
  readonly taint?: string;
  readonly modules: readonly string[];
  readonly registers: ReadonlyMap<string, bigint>;
  /** Where the fault was: RIP, pc. */
  readonly pc?: VerdictFrame;
  readonly faultAddress?: bigint;
  readonly errorCode?: bigint;
  /** Bytes of "Code:", and which one the pc stands on. */
  readonly code?: { readonly bytes: Uint8Array; readonly at: number };
  /** Call traces in the order they were printed: "Call Trace", "Allocated by task", "Freed by task" …, frames innermost first. */
  readonly traces: readonly {
    readonly name: string;
    readonly frames: readonly VerdictFrame[];
    readonly pid?: number;
    readonly comm?: string;
  }[];
  /** Values that only this family has: "size", "cache", "object", "shadow" …; a bigint is an address. */
  readonly fields: Readonly<Record<string, string | number | bigint | readonly string[]>>;
  /** Why it is not whole: cut off, lines of others between, no trace. */
  readonly damage: readonly string[];
}
