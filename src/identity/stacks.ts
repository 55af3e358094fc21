/** The stacks of all tasks and all CPUs in one table: an address is on one of them, or on none. */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type AddressRange, AddressTable } from "../linux/address-table.ts";
import { type Task, taskTable } from "../linux/task.ts";
import type { StackArea } from "../stack/frame.ts";
import { StackMap } from "../stack/stack-map.ts";
import { taskStack } from "../stack/task-stack.ts";

/** Whose stack it is. */
export interface StackOwner {
  readonly area: StackArea;
  readonly start: VirtualAddress;
  /** Exclusive. */
  readonly end: VirtualAddress;
  /** Of a task's own stack. */
  readonly task: Task | undefined;
}

/** Table of stacks; made once per dump. Tasks that cannot be read are left out. */
export function stackTable(kernel: Kernel): AddressTable<StackOwner> {
  return kernel.memo(stackTable, () => {
    const ranges: AddressRange<StackOwner>[] = [];
    const add = (area: StackArea, task: Task | undefined) => {
      if (area.start === 0n) return;
      const start = virtual(area.start);
      const end = virtual(area.end);
      ranges.push({ start, end, value: { area, start, end, task } });
    };
    try {
      for (const task of taskTable(kernel).tasks) {
        try {
          add(taskStack(kernel, task.address), task);
        } catch (error) {
          if (!(error instanceof InquestError)) throw error;
        }
      }
      for (const area of StackMap.of(kernel).areas) add(area, undefined);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    return new AddressTable(ranges);
  });
}

/** Table of task_structs, for kernels whose slab caches cannot be read, and for those in no cache (init_task). */
export function taskStructTable(kernel: Kernel): AddressTable<Task> {
  return kernel.memo(taskStructTable, () => {
    const size = kernel.types.tryStruct("task_struct")?.size ?? 0;
    const allocated = allocatedTaskSize(kernel, size);
    const initial = kernel.tryAddress("init_task");
    try {
      const { tasks } = taskTable(kernel);
      const end = ({ address }: Task) => virtual(address + BigInt(address === initial ? size : allocated));
      return new AddressTable(tasks.map((task) => ({ start: task.address, end: end(task), value: task })));
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      return new AddressTable<Task>([]);
    }
  });
}

/**
 * Bytes of a task_struct that was allocated. x86 leaves out the end of the structure that its FPU state does not need
 * (arch_task_struct_size, CONFIG_ARCH_WANTS_DYNAMIC_TASK_STRUCT, 4.2); the next task may lie there.
 */
function allocatedTaskSize(kernel: Kernel, size: number): number {
  const variable = kernel.tryAddress("arch_task_struct_size");
  const told = variable === undefined ? undefined : kernel.memory.tryU32(variable);
  return told === undefined || told === 0 || told > size ? size : told;
}
