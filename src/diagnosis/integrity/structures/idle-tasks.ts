/**
 * The idle task of a CPU, whatever rq.idle says: kernel/sched/core.c (init_idle), kernel/smpboot.c (idle_threads).
 *
 *   rq.idle = idle_threads[cpu] ─► task_struct { pid 0, comm "swapper/<cpu>" }      "swapper" without SMP
 *
 * init_idle() names it, and nobody names it otherwise: prctl() and /proc are for tasks with a pid.
 */
import { hex16, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { pointerOf, wordAt } from "../look.ts";
import type { Survey } from "../survey.ts";

const COMM = 16;
const TOP_BIT = 63n;
const NAME = /^swapper(?:\/(\d+))?$/;

/** CPU of the idle task at an address, undefined for its only one; no where no idle task stands, unknown where its page was left out. */
function idleAt(kernel: Kernel, task: bigint): { readonly cpu: number | undefined } | "no" | "unknown" {
  const struct = kernel.types.tryStruct("task_struct");
  const [comm, pid] = [struct?.tryField("comm"), struct?.tryField("pid")];
  if (comm === undefined || pid === undefined) return "unknown";
  const plain = pointerOf(kernel, task);
  if (!kernel.arch.isKernelAddress(plain)) return "no";
  const words = [wordAt(kernel, comm.address(plain)), wordAt(kernel, virtual(pid.address(plain) & ~7n))];
  if (words.includes("nowhere")) return "no";
  const name = kernel.memory.tryBytes(comm.address(plain), COMM);
  const number = kernel.memory.tryU32(pid.address(plain));
  if (words.includes("unknown") || name === undefined || number === undefined) return "unknown";
  const match = NAME.exec(String.fromCharCode(...name).replace(/\0.*$/s, ""));
  if (match === null || number !== 0) return "no";
  return { cpu: match[1] === undefined ? undefined : Number(match[1]) };
}

/** Whether it is no idle task for certain, although a run queue leads to it as to one. */
export function isNoIdleTask(kernel: Kernel, task: VirtualAddress): boolean {
  return idleAt(kernel, task) === "no";
}

function isIdleOf(kernel: Kernel, task: bigint, cpu: number): boolean {
  const idle = idleAt(kernel, task);
  return typeof idle === "object" && (idle.cpu === undefined || idle.cpu === cpu);
}

/** Holds rq.idle of a CPU against the task that bears its name. @param thread idle_threads of the CPU */
export function surveyIdle(survey: Survey, rq: VirtualAddress, cpu: number, thread: VirtualAddress | undefined): void {
  const { kernel } = survey;
  const field = survey.field("rq", "idle");
  const word = field === undefined ? undefined : wordAt(kernel, field.address(rq));
  if (field === undefined || typeof word !== "bigint") return;
  const near = new Set<bigint>();
  if (isIdleOf(kernel, word, cpu)) near.add(pointerOf(kernel, word));
  else {
    if (thread !== undefined && isIdleOf(kernel, thread, cpu)) near.add(thread);
    for (let bit = 0n; bit <= TOP_BIT && thread === undefined; bit++) {
      const other = BigInt.asUintN(64, word ^ (1n << bit));
      if (isIdleOf(kernel, other, cpu)) near.add(pointerOf(kernel, other));
    }
  }
  const [expected] = near;
  if (expected === undefined || near.size !== 1) return;
  const named = survey.field("task_struct", "comm")?.address(virtual(expected));
  const value = named === undefined ? undefined : kernel.memory.tryU64(named);
  survey.must({
    structure: "run queues",
    type: "rq",
    member: "idle",
    object: rq,
    address: field.address(rq),
    expected,
    witness: {
      what: `the task ${hex16(expected)} has pid 0 and the name of the idle task of CPU ${cpu}`,
      ...(named === undefined || value === undefined ? {} : { address: named, value }),
    },
  });
}
