/**
 * The task on whose CPU the kernel gave up: as panicTask() tells it; where neither variables, log nor the task's own stack do, the one whose
 * unwound stack goes through panic(). That may be an interrupt's stack, which only the unwind finds (arm64 kernels whose kallsyms lists
 * functions only, with the log gone).
 *
 * With kdump the notes hold the registers of the fault, so the unwind begins there and meets neither die() nor panic(). They ran deeper on
 * the same stack, and what they left below the stack pointer nothing has written over since:
 *
 *   sp - 0x7e8   crash_kexec+0x38        ◄ left by die()            the kernel that captures has a memory of its own
 *   sp - 0x4a0   die+0x234
 *   sp           frame of the fault      ◄ the note's registers
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type PanicTask, panicTask } from "../../linux/panic-task.ts";
import { activeTasks } from "../../linux/task.ts";
import { threadSize } from "../../stack/task-stack.ts";
import { unwindTask } from "../../stack/unwind.ts";
import { callsPanic, provedByPanic } from "./panic-proof.ts";

/** CPUs whose stacks are unwound. */
const MAX_CPUS = 1024;
const GAVE_UP = /^(?:v?panic|nmi_panic|die|oops_end|die_kernel_fault|__crash_kexec)$/;
/** Another CPU's panic was first: this one stops itself (kernel/panic.c). */
const CAME_LATE = /^(?:panic_smp_self_stop|nmi_panic_self_stop)$/;

/** Flag ACTIVE: nothing says that any task stopped the kernel. Throws what reading tasks throws. Once per dump. */
export function stoppedTask(kernel: Kernel): PanicTask | undefined {
  return kernel.memo(stoppedTask, () => {
    const told = panicTask(kernel);
    if (told === undefined || told.flag !== "ACTIVE") return told;
    const stopping = activeTasks(kernel)
      .slice(0, MAX_CPUS)
      .flatMap(({ task, cpu }): PanicTask[] => {
        const names = functionsOn(kernel, task.address);
        if (!names.some((name) => GAVE_UP.test(name)) || names.some((name) => CAME_LATE.test(name))) return [];
        return [{ task, cpu, by: "stack", flag: names.includes("sysrq_handle_crash") ? "SYSRQ" : "PANIC" }];
      });
    if (stopping.length > 0) return stopping.length === 1 ? stopping[0] : told;
    const left = activeTasks(kernel)
      .slice(0, MAX_CPUS)
      .filter(({ task }) => leftBelow(kernel, task.address).some((name) => GAVE_UP.test(name)));
    const [only] = left;
    return left.length === 1 && only !== undefined ? { ...only, by: "stack", flag: "PANIC" } : told;
  });
}

const PAGE = 4096;

/** Functions that have left return addresses below where a CPU's stack ends by its registers, of this stack and no other. */
function leftBelow(kernel: Kernel, task: VirtualAddress): readonly string[] {
  const sp = stackPointer(kernel, task);
  if (sp === undefined) return [];
  const found: string[] = [];
  const lowest = sp - (sp % BigInt(PAGE)) - BigInt(threadSize(kernel));
  for (let end = sp; end > lowest; ) {
    const start = (end - 1n) & ~BigInt(PAGE - 1);
    const bytes = kernel.memory.tryBytes(virtual(start), Number(end - start));
    // A guard page, or the end of what the dump has.
    if (bytes === undefined) break;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 8 <= bytes.byteLength; at += 8) {
      const word = view.getBigUint64(at, true);
      const code = kernel.arch.isKernelAddress(word) ? kernel.arch.stripPointer(word) : undefined;
      const symbol = code === undefined ? undefined : kernel.symbols.byAddress(code);
      if (symbol !== undefined && symbol.offset > 0) found.push(symbol.symbol.name);
    }
    end = start;
  }
  return found;
}

/** Of a CPU whose own registers the dump has: of any other task the words below its stack pointer say nothing. */
function stackPointer(kernel: Kernel, task: VirtualAddress): bigint | undefined {
  try {
    const [first] = unwindTask(kernel, task).frames;
    return first?.foundBy === "registers" && first.kind === "interrupted" ? first.registers.sp : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function functionsOn(kernel: Kernel, task: Parameters<typeof unwindTask>[1]): readonly string[] {
  try {
    const { frames } = provedByPanic(kernel, unwindTask(kernel, task));
    const [first] = frames;
    const called = first?.foundBy === "scan" && first.certainty === "exact" && callsPanic(kernel, first) ? ["panic"] : [];
    return [...called, ...frames.flatMap(({ function: name, certainty }) => (certainty === "exact" && name !== undefined ? [name] : []))];
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}
