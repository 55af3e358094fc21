/**
 * Names of tasks that wrote events: kept by the tracer for pids it saw last (kernel/trace/trace_sched_switch.c), since a task may be gone.
 *
 *   savedcmd ─► saved_cmdlines_buffer { map_pid_to_cmdline[pid & 0x7fff] ─► slot; map_cmdline_to_pid[slot] = pid; saved_cmdlines + 16 × slot }
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { taskTable } from "../task.ts";

const COMM_BYTES = 16;
const NO_SLOT = 0xffff_ffff;

/** Name by pid: the tracer's, else the living task's, else undefined. */
export function traceComms(kernel: Kernel): (pid: number) => string | undefined {
  const saved = savedComms(kernel);
  const living = new Map<number, string>();
  for (const { pid, comm } of taskTable(kernel).tasks) if (pid !== 0) living.set(pid, comm);
  return (pid) => (pid === 0 ? "<idle>" : (saved?.(pid) ?? living.get(pid)));
}

function savedComms(kernel: Kernel): ((pid: number) => string | undefined) | undefined {
  const struct = kernel.types.tryStruct("saved_cmdlines_buffer");
  const pointer = kernel.tryAddress("savedcmd");
  const at = pointer === undefined ? undefined : kernel.memory.tryU64(pointer);
  if (struct === undefined || at === undefined || at === 0n) return undefined;
  const base = virtual(at);
  const slots = struct.field("map_pid_to_cmdline");
  const mask = Math.floor(slots.size / 4) - 2;
  const names = struct.field("saved_cmdlines");
  const { memory } = kernel;
  return (pid) => {
    try {
      // The map has one entry more than pids have values (PID_MAX_DEFAULT + 1).
      const slot = memory.u32(add(slots.address(base), (pid & mask) * 4));
      if (slot === NO_SLOT || slot >= struct.field("cmdline_num").number(base)) return undefined;
      const owner = struct.field("map_cmdline_to_pid").pointer(base);
      if (memory.u32(add(owner, slot * 4)) !== pid) return undefined;
      // An array at the structure's end since 6.8 (44dc5c41b5b1), a pointer before.
      const table: VirtualAddress = names.type.kind === "pointer" ? names.pointer(base) : names.address(base);
      const text = memory.cString(add(table, slot * COMM_BYTES), COMM_BYTES);
      return text === "" ? undefined : text;
    } catch (error) {
      if (error instanceof FaultError) return undefined;
      throw error;
    }
  };
}
