/** `waitq`: who sleeps on a wait queue. */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError, UsageError } from "../bytes/errors.ts";
import { type CType, strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Waiter, type WaitQueueKind, waiters, waitQueueKind } from "../linux/wait-queue.ts";
import { waitqApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { parseNumber } from "./support/evaluate.ts";
import { taskHeader } from "./support/task-header.ts";
import { type TaskReference, taskReference } from "./support/task-reference.ts";

/** Who sleeps on a wait queue. */
export interface WaitqWaiter {
  readonly entry: bigint;
  readonly task?: TaskReference;
  /** What wakes it. */
  readonly function?: string;
  readonly exclusive?: boolean;
}

export interface WaitqResult {
  /** The symbol; "" for an address. */
  readonly name: string;
  readonly address: bigint;
  readonly waiters: readonly WaitqWaiter[];
  readonly notes?: readonly string[];
}

/** include/linux/wait.h. */
const WQ_FLAG_EXCLUSIVE = 1;

export const waitq = defineCommand<WaitqResult>({
  spec: {
    name: "waitq",
    summary: "list tasks queued on a wait queue",
    synopsis: ["symbol | struct.member address | address"],
    description: [
      "Shows the tasks that sleep on a wait queue: a wait_queue_head or a swait_queue_head. It is named by a symbol, by the address of a structure and the member in it that is (or begins with) the queue, or by its own address.",
      "What is queued and is no task (epoll, io_uring) is shown by the function that is called to wake it.",
    ],
    options: [],
    operands: ["symbol", "number"],
    examples: [
      ["waitq log_wait", "who waits for messages of the log"],
      ["waitq signal_struct.wait_chldexit ffff888003a4c000", "who waits for its children"],
    ],
    differences: ["Simple wait queues (swait) and the queues of completions are read too.", "Entries that are no tasks are shown."],
  },
  run(session, args) {
    const { kernel } = session;
    const [first, second] = args.operands;
    if (first === undefined || args.operands.length > 2) throw new UsageError("usage: waitq symbol | struct.member address | address");
    const queue = second === undefined ? single(kernel, first) : member(kernel, first, second);
    const notes: string[] = [];
    const found = waiters(kernel, queue.address, queue.kind, notes).map((waiter) => row(kernel, waiter));
    return { name: queue.name, address: queue.address, waiters: found, ...(notes.length === 0 ? {} : { notes }) };
  },
  api: waitqApi,
  *text({ name, address, waiters: found, notes = [] }) {
    if (found.length === 0 && notes.length === 0)
      yield `wait queue ${name === "" ? hex16(address) : `"${name}" (${hex16(address)})`} is empty`;
    for (const { entry, task, function: called } of found) {
      if (task?.pid === undefined) yield `(no task: entry ${hex16(entry)}${called === undefined ? "" : `, woken by ${called}`})`;
      else yield taskHeader({ pid: task.pid, address: task.address, cpu: task.cpu ?? 0, comm: task.comm ?? "" });
    }
    for (const note of notes) yield `(${note})`;
  },
});

interface Queue {
  readonly name: string;
  readonly address: VirtualAddress;
  readonly kind: WaitQueueKind | undefined;
}

function single(kernel: Kernel, text: string): Queue {
  const symbol = kernel.symbols.byName(text);
  if (symbol !== undefined) {
    const type = kernel.variableType(text, symbol);
    const inside = type === undefined ? undefined : queueIn(kernel, type);
    return { name: text, address: virtual(symbol.address + BigInt(inside?.offset ?? 0)), kind: inside?.kind };
  }
  const address = parseNumber(text, 16);
  if (address === undefined) {
    const [, why] = kernel.unknownSymbol(text, []).message.split("; ");
    throw new LookupError(`waitq: cannot resolve "${text}"${why === undefined ? "" : `; ${why}`}`);
  }
  return { name: "", address: virtual(address), kind: undefined };
}

function member(kernel: Kernel, path: string, text: string): Queue {
  const dot = path.indexOf(".");
  if (dot < 1) throw new UsageError(`waitq: "${path}" names no member: struct.member address`);
  const field = kernel.types.struct(path.slice(0, dot)).field(path.slice(dot + 1));
  const base = kernel.symbols.byName(text)?.address ?? parseNumber(text, 16);
  if (base === undefined) throw new UsageError(`waitq: invalid input: "${text}"`);
  const inside = queueIn(kernel, field.type);
  if (inside === undefined) throw new LookupError(`waitq: ${path} is no wait queue`);
  return { name: "", address: virtual(field.address(virtual(base)) + BigInt(inside.offset)), kind: inside.kind };
}

/** The queue that a type is, or that is one of its own members (struct completion.wait). */
function queueIn(kernel: Kernel, type: CType): { readonly offset: number; readonly kind: WaitQueueKind } | undefined {
  const plain = strip(type);
  if (plain.kind !== "struct") return undefined;
  const own = waitQueueKind(plain.name);
  if (own !== undefined) return { offset: 0, kind: own };
  const wait = kernel.types.wrap(plain)?.tryField("wait");
  const kind = wait === undefined ? undefined : waitQueueKind((strip(wait.type) as { readonly name?: string }).name);
  return wait === undefined || kind === undefined ? undefined : { offset: wait.offset, kind };
}

function row(kernel: Kernel, { address, task, function: called, flags }: Waiter): WaitqWaiter {
  return {
    entry: address,
    ...(task === undefined ? {} : { task: taskReference(kernel, task) }),
    ...(called === undefined ? {} : { function: called }),
    ...(flags === undefined ? {} : { exclusive: (flags & WQ_FLAG_EXCLUSIVE) !== 0 }),
  };
}
