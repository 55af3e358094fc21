/**
 * Where the members of struct task_struct lie in this kernel, by the names of this and of older releases (include/linux/sched.h).
 */
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";

export interface TaskLayout {
  readonly struct: Struct;
  readonly pid: Field;
  readonly tgid: Field;
  readonly comm: Field;
  readonly state: Field;
  readonly exitState: Field;
  readonly flags: Field;
  readonly stack: Field;
  readonly mm: Field;
  readonly parent: Field;
  readonly groupLeader: Field;
  /** task_struct.tasks, the list of thread group leaders. */
  readonly tasks: Field;
  /** Links the threads of a group to signal->thread_head (3.14+). */
  readonly threadNode: Field | undefined;
  readonly signal: Field;
  readonly threadHead: Field | undefined;
  /** Links the threads of a group in a circle (up to 6.6). */
  readonly threadGroup: Field | undefined;
  /** Number of the CPU the task is on, or was last on. undefined when it lies in a thread_info at the stack's end (before 4.9). */
  readonly cpu: Field | undefined;
  /** 1 while the task runs on a CPU. */
  readonly onCpu: Field | undefined;
  /** hlist_node that hangs the task at its struct pid. */
  readonly pidLink: Field | undefined;
  readonly policy: Field;
  readonly prio: Field;
}

/** Throws LookupError when the dump has no types, or a member that every kernel has is missing. */
export function taskLayout(kernel: Kernel): TaskLayout {
  return kernel.memo(taskLayout, () => {
    const struct = kernel.types.struct("task_struct");
    const signal = kernel.types.tryStruct("signal_struct");
    return {
      struct,
      pid: struct.field("pid"),
      tgid: struct.field("tgid"),
      comm: struct.field("comm"),
      // 5.14 renamed state to __state and made it 32 bits wide (2f064a59a11f).
      state: struct.tryField("__state") ?? struct.field("state"),
      exitState: struct.field("exit_state"),
      flags: struct.field("flags"),
      stack: struct.field("stack"),
      mm: struct.field("mm"),
      parent: struct.tryField("real_parent") ?? struct.field("parent"),
      groupLeader: struct.field("group_leader"),
      tasks: struct.field("tasks"),
      threadNode: struct.tryField("thread_node"),
      signal: struct.field("signal"),
      threadHead: signal?.tryField("thread_head"),
      threadGroup: struct.tryField("thread_group"),
      // task.cpu on x86-64 4.9–5.15 and on arm64 4.10–5.15, thread_info.cpu since (bcf9033e5449).
      cpu: struct.firstField("thread_info.cpu", "cpu"),
      onCpu: struct.tryField("on_cpu"),
      // 4.19 made pids[].node into pid_links[] (2c4704756cab); the node is the first member of either.
      pidLink: struct.firstField("pid_links", "pids"),
      policy: struct.field("policy"),
      prio: struct.field("prio"),
    };
  });
}
