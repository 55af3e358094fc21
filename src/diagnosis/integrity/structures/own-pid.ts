/**
 * The struct pid of a task, whatever thread_pid says: kernel/pid.c (attach_pid), include/linux/pid.h.
 *
 *   task.pid_links[PIDTYPE_PID].pprev ─► pid.tasks[PIDTYPE_PID].first ─► the task's link;  pid.numbers[0].nr = task.pid
 *
 * Two words of the pid and one of the task that agree are witness enough. While de_thread() changes the numbers of two threads they do not
 * agree, and of a task that has exited the link is poison: then nothing is said.
 */
import { add, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { pointerOf, wordAt } from "../look.ts";
import type { Survey } from "../survey.ts";
import type { PointerFact } from "../survey-facts.ts";

export function ownPid(survey: Survey, task: VirtualAddress, number: number): PointerFact["equals"] {
  const { kernel } = survey;
  const [heads, numbers] = [survey.field("pid", "tasks"), survey.field("pid", "numbers")];
  const [links, nr] = [survey.field("task_struct", "pid_links"), survey.field("upid", "nr")];
  if (heads === undefined || numbers === undefined || links === undefined || nr === undefined) return undefined;
  const node = links.address(task);
  const back = wordAt(kernel, add(node, 8));
  if (typeof back !== "bigint" || back === 0n) return undefined;
  const head = pointerOf(kernel, back);
  const first = wordAt(kernel, head);
  const pid = virtual(add(head, -heads.offset));
  if (typeof first !== "bigint" || pointerOf(kernel, first) !== node) return undefined;
  if (kernel.memory.tryU32(add(pid, numbers.offset + nr.offset)) !== number) return undefined;
  return { value: pid, what: `task ${number} is on this pid's list, and ${number} is its number` };
}
