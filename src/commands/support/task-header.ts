/** The line that stands above everything told of one task. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";

export interface TaskHeader {
  readonly pid: number;
  readonly address: VirtualAddress | bigint;
  readonly cpu: number;
  readonly comm: string;
}

/** `PID: 1        TASK: ffff888003a4c000  CPU: 0    COMMAND: "init"` */
export function taskHeader({ pid, address, cpu, comm }: TaskHeader): string {
  return `PID: ${String(pid).padEnd(7)}  TASK: ${hex16(address)}  CPU: ${String(cpu).padEnd(3)}  COMMAND: "${comm}"`;
}
