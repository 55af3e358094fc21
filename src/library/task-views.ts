/** What a task has: open files, mappings, signals. The functions behind the methods of Task. */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import { type OpenFile, openFiles } from "../linux/file.ts";
import { requireSignals, type TaskSignals, taskSignals } from "../linux/signal.ts";
import type { Task as EngineTask } from "../linux/task.ts";
import { untilBroken } from "../linux/until-broken.ts";
import { vmas } from "../linux/vma.ts";
import { vmaFlagNames } from "../linux/vma-flags.ts";
import { vmaName } from "../linux/vma-name.ts";
import { type Found, found } from "./found.ts";

/** One mapping of a process (struct vm_area_struct), as a line of /proc/PID/maps. */
export interface Mapping {
  /** Its vm_area_struct. */
  readonly vma: VirtualAddress;
  readonly start: VirtualAddress;
  /** Exclusive. */
  readonly end: VirtualAddress;
  /** vm_flags, and the names of those that are set: "READ", "WRITE" … */
  readonly flags: bigint;
  readonly flagNames: readonly string[];
  /** Path, or "[heap]", "[stack]" …; absent for other anonymous memory. */
  readonly name?: string;
}

/** What a task does with signals, and which wait for it. */
export interface Signals extends TaskSignals {
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/** Open files by ascending descriptor. */
export function filesOf(engine: Engine, task: EngineTask): Found<OpenFile> {
  const notes: string[] = [];
  return found(openFiles(engine, task.address, notes), notes);
}

/** Mappings by ascending address; none of a kernel thread. */
export function mappingsOf(engine: Engine, task: EngineTask): Found<Mapping> {
  const notes: string[] = [];
  if (task.mm === 0n) return found([]);
  const mm = virtual(task.mm);
  const walk = untilBroken(vmas(engine, mm), ({ message }) => notes.push(`the list of its mappings ends early: ${message}`));
  const rows = Array.from(walk, (vma): Mapping => {
    const { address, start, end, flags } = vma;
    const name = vmaName(engine, mm, vma);
    return { vma: address, start, end, flags, flagNames: vmaFlagNames(engine, flags), ...(name === undefined ? {} : { name }) };
  });
  return found(rows, notes);
}

/** @throws LookupError when the dump has no types for signals */
export function signalsOf(engine: Engine, task: EngineTask): Signals {
  requireSignals(engine);
  const notes: string[] = [];
  return { ...taskSignals(engine, task.address, notes), notes };
}
