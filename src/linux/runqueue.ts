/**
 * Run queues (kernel/sched/sched.h): per CPU which task runs and which is its idle task.
 *
 *   per-CPU `runqueues` ─► struct rq { …, curr, idle, … }
 *
 * `runqueues` is not exported and not in VMCOREINFO: a kernel without KALLSYMS_ALL (Debian 11's arm64) hides it. It is then looked for in
 * the per-CPU areas: the one offset at which CPU 0's `idle` is init_task and every other CPU's `idle` is a task named swapper/N.
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { cpuMasks } from "./cpu.ts";

/** Bytes to search on either side of a per-CPU symbol that is known; the static per-CPU area is some 100–200 KiB. */
const SEARCH_BYTES = 512 * 1024;

/** Address of one CPU's struct rq; undefined when it cannot be told. */
export function runqueue(kernel: Kernel, cpu: number): VirtualAddress | undefined {
  const base = kernel.memo(runqueue, () => ({ address: kernel.tryAddress("runqueues") ?? searchRunqueues(kernel) })).address;
  if (base === undefined || kernel.perCpuOffsets[cpu] === undefined) return undefined;
  return kernel.perCpuAddress(base, cpu);
}

/** Task that CPU runs: rq.curr. */
export function currentTask(kernel: Kernel, cpu: number): VirtualAddress | undefined {
  return member(kernel, cpu, "curr");
}

/** Idle task of a CPU: rq.idle. */
export function idleTask(kernel: Kernel, cpu: number): VirtualAddress | undefined {
  return member(kernel, cpu, "idle");
}

function member(kernel: Kernel, cpu: number, name: "curr" | "idle"): VirtualAddress | undefined {
  const rq = runqueue(kernel, cpu);
  const field = kernel.types.tryStruct("rq")?.tryField(name);
  if (rq === undefined || field === undefined) return undefined;
  const task = kernel.memory.tryU64(field.address(rq));
  return task === undefined || task === 0n ? undefined : (task as VirtualAddress);
}

/** Looks for the per-CPU variable by what it must hold; the result is an address like that of a per-CPU symbol. */
function searchRunqueues(kernel: Kernel): VirtualAddress | undefined {
  const rq = kernel.types.tryStruct("rq");
  const task = kernel.types.tryStruct("task_struct");
  const init = kernel.tryAddress("init_task");
  const anchor = perCpuAnchor(kernel);
  const idle = rq?.tryField("idle");
  const comm = task?.tryField("comm");
  if (rq === undefined || idle === undefined || comm === undefined || init === undefined || anchor === undefined) return undefined;
  const others = cpuMasks(kernel).present.filter((cpu) => cpu !== 0);
  const start = add(kernel.perCpuAddress(anchor, 0), -SEARCH_BYTES);
  const found: VirtualAddress[] = [];
  for (const at of wordsEqual(kernel, start, 2 * SEARCH_BYTES, init)) {
    const base = add(add(at, -idle.offset), -(kernel.perCpuOffsets[0] as bigint));
    if (
      plausible(kernel, rq, base, init) &&
      others.every((cpu) => idleName(kernel, add(base, (kernel.perCpuOffsets[cpu] ?? 0n) + BigInt(idle.offset))) === `swapper/${cpu}`)
    ) {
      found.push(base);
    }
  }
  if (found.length > 1) throw new CorruptionError("rq", "several places look like the run queues", found[0] as VirtualAddress);
  return found[0];

  function idleName(from: Kernel, at: VirtualAddress): string | undefined {
    const pointer = from.memory.tryU64(at);
    if (pointer === undefined || !from.arch.isKernelAddress(pointer)) return undefined;
    const bytes = from.memory.tryBytes((comm as NonNullable<typeof comm>).address(pointer as VirtualAddress), 16);
    return bytes === undefined ? undefined : String.fromCharCode(...bytes.subarray(0, Math.max(0, bytes.indexOf(0))));
  }
}

/** CPU 0's run queue names its own number and runs a task. */
function plausible(kernel: Kernel, rq: Struct, base: VirtualAddress, init: VirtualAddress): boolean {
  const at = kernel.perCpuAddress(base, 0);
  const cpu = rq.tryField("cpu");
  const curr = rq.tryField("curr");
  const stop = rq.tryField("stop");
  if (cpu !== undefined && kernel.memory.tryU32(cpu.address(at)) !== 0) return false;
  for (const field of [curr, stop]) {
    if (field === undefined) continue;
    const pointer = kernel.memory.tryU64(field.address(at));
    if (pointer === undefined || !kernel.arch.isKernelAddress(pointer)) return false;
    if (field === stop && pointer === init) return false;
  }
  return true;
}

/** A symbol inside the static per-CPU area: exported ones are always known. */
function perCpuAnchor(kernel: Kernel): VirtualAddress | undefined {
  for (const name of ["__per_cpu_start", "runqueues", "cpu_number", "numa_node", "kernel_cpustat", "kstat", "this_cpu_off", "cpu_info"]) {
    const address = kernel.tryAddress(name);
    if (address !== undefined) return address;
  }
  return undefined;
}

function* wordsEqual(kernel: Kernel, start: VirtualAddress, length: number, value: bigint): Generator<VirtualAddress, void, undefined> {
  const chunk = 4096;
  for (let offset = 0; offset < length; offset += chunk) {
    const bytes = kernel.memory.tryBytes(add(start, offset), chunk);
    if (bytes === undefined) continue;
    const words = new BigUint64Array(bytes.buffer);
    for (let i = 0; i < words.length; i++) if (words[i] === value) yield add(start, offset + i * 8);
  }
}
