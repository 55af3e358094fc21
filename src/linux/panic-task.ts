/**
 * Which task was running when the kernel stopped.
 *
 * In this order, each with how sure it is:
 *   1. panic_cpu (4.5+, 1717f2096b54): the CPU whose panic() went through; its run queue's current task
 *   2. crashing_cpu (x86-64, arm64 from some release on): the CPU that started the crash kernel. It is -1 until then; kernels that know no
 *      panic_cpu begin with 0, which says nothing when the log names another CPU
 *   3. the log's report names CPU and pid
 *   4. a task that runs and has a return address into panic(), die() or the like on its stack: kernels whose kallsyms lists functions only,
 *      with the log gone
 *   5. no panic at all, or the task cannot be read: the first task that runs and is not idle, else CPU 0's; the kernel's notes say so
 */
import { virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import type { LogRecord } from "./log-record.ts";
import { type PanicMessage, panicMessage, taskNamedByLog } from "./panic.ts";
import { readLog } from "./printk.ts";
import { currentTask } from "./runqueue.ts";
import { activeTasks, type Task, taskTable } from "./task.ts";
import { taskLayout } from "./task-layout.ts";

export interface PanicTask {
  readonly task: Task;
  readonly cpu: number;
  /** How it was found. */
  readonly by: "panic_cpu" | "crashing_cpu" | "log" | "stack" | "active";
  /** crash's flag behind STATE: PANIC for the task that brought the kernel down, SYSRQ and NMI when asked for, ACTIVE when nothing panicked. */
  readonly flag: "PANIC" | "SYSRQ" | "NMI" | "ACTIVE";
}

/** The log's message; undefined when the log tells nothing or cannot be read. Once per dump. */
export function kernelPanic(kernel: Kernel): PanicMessage | undefined {
  // The kernel adds CRASHTIME to VMCOREINFO when it starts the crash kernel.
  const crashed = /^CRASHTIME=/m.test(kernel.dump.vmcoreinfo ?? "");
  return kernel.memo(kernelPanic, () => panicMessage(logRecords(kernel), crashed));
}

/** The task to start with. undefined only when the dump has no task that was running. */
export function panicTask(kernel: Kernel): PanicTask | undefined {
  return kernel.memo(panicTask, () => {
    const message = kernelPanic(kernel);
    const flag = message?.sysrq === true ? "SYSRQ" : / not syncing: (?:An )?NMI/.test(message?.text ?? "") ? "NMI" : "PANIC";
    const named = message === undefined || !message.fatal ? undefined : taskNamedByLog(logRecords(kernel), message.index);
    const initial = named !== undefined && kernel.tryAddress("panic_cpu") === undefined ? 0 : undefined;
    let stopped: number | undefined;
    for (const by of ["panic_cpu", "crashing_cpu"] as const) {
      const cpu = cpuVariable(kernel, by);
      if (cpu === initial) continue;
      const task = cpu === undefined ? undefined : taskOn(kernel, cpu);
      if (cpu !== undefined && task !== undefined) return { task, cpu, by, flag };
      stopped ??= cpu;
    }
    if (named !== undefined) {
      const running = taskOn(kernel, named.cpu);
      const task = running?.pid === named.pid || named.pid === 0 ? running : (taskTable(kernel).byPid.get(named.pid) ?? running);
      if (task !== undefined) return { task, cpu: named.cpu, by: "log", flag };
      stopped ??= named.cpu;
    }
    const active = activeTasks(kernel);
    const stopping = (stopped === undefined ? active : []).flatMap(({ task, cpu }): PanicTask[] => {
      const by = stoppingFunction(kernel, task);
      return by === undefined ? [] : [{ task, cpu, by: "stack", flag: by === "sysrq_handle_crash" ? "SYSRQ" : flag }];
    });
    // Two of them would be one too many to choose from.
    if (stopping.length === 1) return stopping[0];
    const first = active.find(({ task }) => !task.idle) ?? active[0];
    if (first === undefined) return undefined;
    const instead = `commands begin with ${first.task.comm} (pid ${first.task.pid}) on CPU ${first.cpu}`;
    if (stopped !== undefined) {
      kernel.note(`the kernel stopped on CPU ${stopped}, whose task cannot be read: ${instead}, which did not panic`);
      return { ...first, by: "active", flag: "ACTIVE" };
    }
    if (message?.fatal !== true) return { ...first, by: "active", flag: "ACTIVE" };
    if (active.length > 1)
      kernel.note(`which CPU panicked cannot be told: ${instead}, ${first.task.idle ? "all were idle" : "the first that was not idle"}`);
    return { ...first, by: "active", flag };
  });
}

/** Functions that only a kernel on its way to the end goes through, those that say most first. */
const STOPPING: readonly string[] = ["sysrq_handle_crash", "panic", "vpanic", "nmi_panic", "die", "oops_end", "__crash_kexec"];
/** THREAD_SIZE where types do not tell. */
const USUAL_STACK = 16 << 10;
const MAX_STACK = 64 << 10;

/** Which of them has left a return address on the task's stack. */
function stoppingFunction(kernel: Kernel, task: Task): string | undefined {
  try {
    const size = Math.min(kernel.types.tryStruct("thread_union")?.size ?? USUAL_STACK, MAX_STACK);
    const stack = kernel.memory.tryBytes(taskLayout(kernel).stack.pointer(task.address), size);
    if (stack === undefined) return undefined;
    const view = new DataView(stack.buffer, stack.byteOffset, stack.byteLength);
    const met = new Set<string>();
    for (let at = 0; at + 8 <= stack.byteLength; at += 8) {
      const word = view.getBigUint64(at, true);
      if (!kernel.arch.isKernelAddress(word)) continue;
      const found = kernel.symbols.byAddress(virtual(kernel.arch.stripPointer(word)));
      if (found !== undefined && found.offset > 0 && STOPPING.includes(found.symbol.name)) met.add(found.symbol.name);
    }
    return STOPPING.find((name) => met.has(name));
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** An atomic_t or int that holds a CPU number, -1 while nothing happened. */
function cpuVariable(kernel: Kernel, name: string): number | undefined {
  const address = kernel.tryAddress(name);
  const value = address === undefined ? undefined : kernel.memory.tryU32(address);
  return value !== undefined && cpuMasks(kernel).possible.includes(value) ? value : undefined;
}

function taskOn(kernel: Kernel, cpu: number): Task | undefined {
  const address = currentTask(kernel, cpu);
  const table = taskTable(kernel);
  if (address !== undefined) return table.byAddress.get(address);
  return table.tasks.find((task) => task.active && task.cpu === cpu);
}

function logRecords(kernel: Kernel): readonly LogRecord[] {
  try {
    return readLog(kernel).records;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    // No log buffer: the panic task is then found without it.
    return [];
  }
}
