/**
 * What tasks are found by: kernel/pid.c, lib/idr.c, include/linux/xarray.h.
 *
 *   init_pid_ns.idr ─► xa_node.slots[pid] ─► pid.tasks[0] ─► task.pid_links[0] ─pprev─► pid.tasks[0];  task.thread_pid is the pid
 */
import { add, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { type Task, taskTable } from "../../../linux/task.ts";
import { pointerClass } from "../damage.ts";
import { pointerOf, textOver, wordAt } from "../look.ts";
import type { Survey } from "../survey.ts";

const MAX_TASKS = 8192;
/** Nodes of the table. */
const MAX_NODES = 4096;
const MOST_SLOTS = 64;

export function surveyPids(survey: Survey): void {
  const { kernel } = survey;
  const tasks = taskTable(kernel).tasks.slice(0, MAX_TASKS);
  survey.quietly(() => pidTable(survey, tasks));
  for (const task of tasks) survey.quietly(() => pidLinks(survey, task));
}

/** Whether a struct pid has this number in the first namespace. */
function hasNumber(survey: Survey, pid: VirtualAddress, number: number): boolean {
  const numbers = survey.field("pid", "numbers");
  const nr = survey.field("upid", "nr");
  return numbers !== undefined && nr !== undefined && survey.kernel.memory.tryU32(add(pid, numbers.offset + nr.offset)) === number;
}

interface PidNode {
  readonly at: VirtualAddress;
  readonly above: VirtualAddress | undefined;
  readonly first: number;
}

/** An xarray without gaps in its rules: a node is where its parent says, a leaf's entry is the pid of its index. */
function pidTable(survey: Survey, tasks: readonly Task[]): void {
  const { kernel } = survey;
  const namespace = kernel.tryAddress("init_pid_ns");
  const tree = survey.field("pid_namespace", "idr.idr_rt");
  const head = survey.field("pid_namespace", "idr.idr_rt.xa_head");
  const [slots, shift, offset] = [survey.field("xa_node", "slots"), survey.field("xa_node", "shift"), survey.field("xa_node", "offset")];
  const thread = survey.field("task_struct", "thread_pid");
  if (namespace === undefined || tree === undefined || head === undefined) return;
  if (slots === undefined || shift === undefined || offset === undefined) return;
  const byNumber = new Map(tasks.filter(({ pid, idle }) => pid > 0 && !idle).map((task) => [task.pid, task]));
  const root = nodeOf(wordAt(kernel, head.address(namespace)));
  const queue: PidNode[] = root === undefined ? [] : [{ at: pointerOf(kernel, root), above: undefined, first: 0 }];
  for (let i = 0; i < queue.length && i < MAX_NODES; i++) {
    const { at, above, first } = queue[i] as PidNode;
    if (typeof wordAt(kernel, at) !== "bigint" || !survey.visit("xa_node", at)) continue;
    const array = tree.address(namespace);
    survey.pointer("xa_node", "array", at, "xarray", { value: array, what: "it is a node of the table of pids" });
    survey.pointer("xa_node", "parent", at, "xa_node", {
      value: above ?? 0n,
      what: above === undefined ? "it is the top of the table" : "the node above leads to it",
    });
    const bits = kernel.memory.tryBytes(shift.address(at), 1)?.[0] ?? 0;
    if (bits > 24) continue;
    for (let slot = 0; slot < Math.min(slots.size / 8, MOST_SLOTS); slot++) {
      const address = add(slots.address(at), slot * 8);
      const word = wordAt(kernel, address);
      if (typeof word !== "bigint") continue;
      const number = first + slot * 2 ** bits;
      const place = { structure: "the table of pids", type: "xa_node", member: "slots", object: at, address };
      if (bits > 0) {
        const below = nodeOf(word);
        if (below !== undefined && isBelow(survey, below, at, slot, false))
          queue.push({ at: pointerOf(kernel, below), above: at, first: number });
        else branch(survey, place, word, at, slot);
        continue;
      }
      const task = byNumber.get(number);
      const pid = task === undefined || thread === undefined ? undefined : wordAt(kernel, thread.address(task.address));
      if (task === undefined || thread === undefined || typeof pid !== "bigint") continue;
      const expected = pointerOf(kernel, pid);
      // The task's own pointer may be the damaged one.
      if (!hasNumber(survey, expected, number)) continue;
      const what = `task ${number} has this struct pid, whose number is ${number}`;
      survey.must({ ...place, expected, witness: { what, address: thread.address(task.address), value: pid } });
    }
  }
}

/** A slot of a branch that leads to no node of it: told when one that says to belong there is one bit away. */
function branch(
  survey: Survey,
  place: Pick<Parameters<Survey["must"]>[0], "structure" | "type" | "member" | "object" | "address">,
  word: bigint,
  at: VirtualAddress,
  slot: number,
): void {
  if (word === 0n) return;
  const { kernel } = survey;
  for (let bit = 0n; bit < 64n; bit++) {
    const other = word ^ (1n << bit);
    const node = nodeOf(other);
    if (node === undefined || !isBelow(survey, node, at, slot, true)) continue;
    const parent = survey.field("xa_node", "parent")?.address(pointerOf(kernel, node));
    const witness = {
      what: "the node one bit away says that it belongs there",
      ...(parent === undefined ? {} : { address: parent, value: at }),
    };
    survey.must({ ...place, expected: other, witness });
    return;
  }
  if (textOver(kernel, place.address) !== undefined)
    survey.damage.push({ ...place, size: 8, found: word, unproved: true, ...pointerClass(kernel, place.address, word, undefined, false) });
}

/** @param strict not even its parent pointer may be damaged */
function isBelow(survey: Survey, node: bigint, above: VirtualAddress, slot: number, strict: boolean): boolean {
  const { kernel } = survey;
  const [parent, offset] = [survey.field("xa_node", "parent"), survey.field("xa_node", "offset")];
  const plain = pointerOf(kernel, node);
  const back = parent === undefined ? undefined : wordAt(kernel, parent.address(plain));
  if (parent === undefined || offset === undefined || typeof back !== "bigint") return false;
  const own = kernel.memory.tryBytes(offset.address(plain), 1)?.[0];
  return own === slot && (pointerOf(kernel, back) === above || (!strict && survey.targets.valid("xa_node", plain, parent) === "yes"));
}

/** xa_is_node() and xa_to_node(). */
function nodeOf(entry: ReturnType<typeof wordAt>): bigint | undefined {
  return typeof entry === "bigint" && (entry & 3n) === 2n && entry > 4096n && entry < 0xffff_ffff_ffff_f000n ? entry - 2n : undefined;
}

/** Exactly one task has a pid's number as its own: pid and task lead to each other. */
function pidLinks(survey: Survey, { address: task, pid: number, idle }: Task): void {
  const { kernel } = survey;
  const heads = survey.field("pid", "tasks");
  const links = survey.field("task_struct", "pid_links");
  const own = survey.field("task_struct", "thread_pid");
  if (idle || heads === undefined || links === undefined || own === undefined) return;
  const pid = wordAt(kernel, own.address(task));
  if (typeof pid !== "bigint" || pid === 0n || !hasNumber(survey, pointerOf(kernel, pid), number)) return;
  const head = heads.address(pointerOf(kernel, pid));
  const node = links.address(task);
  const [first, back] = [wordAt(kernel, head), wordAt(kernel, add(node, 8))];
  if (typeof first !== "bigint" || typeof back !== "bigint") return;
  const structure = "tasks of a pid";
  // One of the two says what the other must be; a task that has exited is on no list any more.
  if (pointerOf(kernel, back) === head)
    survey.must({
      structure,
      type: "pid",
      member: "tasks",
      object: virtual(pid),
      address: head,
      expected: node,
      witness: { what: `task ${number} leads back to it`, address: add(node, 8), value: back },
    });
  if (pointerOf(kernel, first) === node)
    survey.must({
      structure,
      type: "task_struct",
      member: "pid_links",
      object: task,
      address: add(node, 8),
      expected: head,
      witness: { what: `the pid of task ${number} leads to it`, address: head, value: first },
    });
}
