/** Arguments of the lab's own modules' functions (lab/modules), which their source tells, wherever they are on a stack. */
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { Value } from "../../src/kernel/value.ts";
import { taskTable } from "../../src/linux/task.ts";
import type { FrameVariable } from "../../src/stack/frame-variables.ts";
import { frameVariables } from "../../src/stack/frame-variables.ts";
import { withInlinedFrames } from "../../src/stack/inlined-frames.ts";
import { unwindTask } from "../../src/stack/unwind.ts";

type Check = (value: Value, kernel: Kernel, comm: string) => boolean;

const isRequest: Check = (value) =>
  value.member("magic").bigint() === 0x1ab0cafen && value.member("tag").number() === 42 && value.member("owner").string() === "lab-owner";
const isMode: Check = (value) => /^(null|wild|call|bug|warn|panic|stack)\n/.test(value.string());
const lock =
  (first: string, second: string): Check =>
  (value, kernel, comm) =>
    value.pointer() === kernel.address(comm.endsWith("ab") ? first : second);

/** lab_fault.c, lab_irq.c, lab_hang.c. */
const PASSED: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  lab_fault_map_segment: { request: isRequest, mode: isMode },
  lab_fault_queue_request: { request: isRequest, mode: isMode },
  lab_fault_submit: { mode: isMode },
  lab_fault_trigger_set: { val: isMode },
  lab_irq_account: { ring: (value) => value.pointer() === 0n, events: (value) => value.bigint() === 1n },
  lab_irq_drain: { context: (value) => ["timer", "irq_work", "worker"].includes(value.string()) },
  lab_hang_take_both: { first: lock("lab_hang_a", "lab_hang_b"), second: lock("lab_hang_b", "lab_hang_a") },
  lab_hang_spin_both: { first: lock("lab_hang_spin_a", "lab_hang_spin_b"), second: lock("lab_hang_spin_b", "lab_hang_spin_a") },
};

/** Checks every argument that has a value. Recursion counts down by one a frame (lab_fault_recurse). */
export function passedByModules(kernel: Kernel): { readonly checked: number; readonly wrong: readonly string[] } {
  let checked = 0;
  const wrong: string[] = [];
  for (const task of taskTable(kernel).tasks) {
    const stack = withInlinedFrames(kernel, unwindTask(kernel, task.address));
    let depth: bigint | undefined;
    for (const frame of stack.frames) {
      const checks = PASSED[frame.function ?? ""];
      const recursion = frame.function === "lab_fault_recurse";
      if (checks === undefined && !recursion) continue;
      for (const variable of frameVariables(kernel, stack, frame)) {
        if (variable.kind !== "parameter" || variable.value === undefined) continue;
        const right = recursion
          ? depth === undefined || variable.value.bigint() === depth + 1n
          : checks?.[variable.name]?.(variable.value, kernel, task.comm);
        if (right === undefined) continue;
        checked++;
        if (!right) wrong.push(`${task.comm} #${frame.level} ${frame.function} ${variable.name} ${said(variable)}`);
        if (recursion) depth = variable.value.bigint();
      }
    }
  }
  return { checked, wrong };
}

function said({ state, atEntry, value }: FrameVariable): string {
  const number = value?.address === undefined ? value?.bigint().toString(16) : `at ${value.address.toString(16)}`;
  return `${number} (${state}${atEntry ? ", at entry" : ""})`;
}
