/**
 * The task on whose CPU the kernel gave up: as panicTask() tells it; where neither variables, log nor the task's own stack do, the one whose
 * unwound stack goes through panic(). That may be an interrupt's stack, which only the unwind finds (arm64 kernels whose kallsyms lists
 * functions only, with the log gone).
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type PanicTask, panicTask } from "../../linux/panic-task.ts";
import { activeTasks } from "../../linux/task.ts";
import { unwindTask } from "../../stack/unwind.ts";

/** CPUs whose stacks are unwound. */
const MAX_CPUS = 1024;
const GAVE_UP = /^(?:v?panic|nmi_panic|die|oops_end|die_kernel_fault|__crash_kexec)$/;

/** Flag ACTIVE: nothing says that any task stopped the kernel. Throws what reading tasks throws. Once per dump. */
export function stoppedTask(kernel: Kernel): PanicTask | undefined {
  return kernel.memo(stoppedTask, () => {
    const told = panicTask(kernel);
    if (told === undefined || told.flag !== "ACTIVE") return told;
    const stopping = activeTasks(kernel)
      .slice(0, MAX_CPUS)
      .flatMap(({ task, cpu }): PanicTask[] => {
        const names = functionsOn(kernel, task.address);
        if (!names.some((name) => GAVE_UP.test(name))) return [];
        return [{ task, cpu, by: "stack", flag: names.includes("sysrq_handle_crash") ? "SYSRQ" : "PANIC" }];
      });
    return stopping.length === 1 ? stopping[0] : told;
  });
}

function functionsOn(kernel: Kernel, task: Parameters<typeof unwindTask>[1]): readonly string[] {
  try {
    const { frames } = unwindTask(kernel, task);
    return frames.flatMap(({ function: name, certainty }) => (certainty === "exact" && name !== undefined ? [name] : []));
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}
