/**
 * Who else had the object in hand: tasks and CPUs whose registers or stacks hold a pointer into it. Two of them in it at once, without a lock
 * that both hold, is how a race looks; that alone proves none, so it is told beside the verdict and never is one (row 34 of the catalogue).
 *
 *   CPU 0, task 812   __skb_queue_purge+0x2c   ─┐
 *                                               ├─► struct sock ffff…, its receive queue
 *   CPU 1, task 814   skb_dequeue+0x31         ─┘
 *
 * Objects that many share by design (a task, an mm, a net namespace) tell nothing: what more than a few tasks hold is left out.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { stackReader } from "../../identity/stack-reader.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { findMentions, type Mention } from "../../linux/locking/mentions.ts";
import { type Task, taskTable } from "../../linux/task.ts";
import { unwindTask } from "../../stack/unwind.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { objectType } from "../fault/object-type.ts";
import { type SlabRole, slabRole } from "../fault/samples.ts";
import { tryIdentify } from "../fault/try-identify.ts";
import { plainName } from "../fault/words.ts";
import { isPassedOver } from "../log-report/passed-over.ts";
import { isWaiting } from "../log-report/waiting-frames.ts";
import type { Sharer } from "../verdict.ts";

/** An object that the fault was about. */
export interface SharedObject {
  readonly address: VirtualAddress;
  readonly size: number;
  readonly cache: string;
  readonly type?: string;
}

/** Every task's stack leads to tasks: the one before at a switch, the one to wake. */
const SHARED_BY_DESIGN = new Set(["task_struct"]);
/** Main loops of the kernel's own threads: what they keep across a sleep is their own business. */
const MAIN_LOOPS = new Set(["worker_thread", "rescuer_thread", "kthread", "kthread_worker_fn", "smpboot_thread_fn", "ret_from_fork"]);
const MAX_OBJECTS = 8;
/** Larger objects are looked for by their first bytes only: pointers lead to the start, or to a member near it. */
const MAX_BYTES = 2048;
/** What more tasks than these hold is shared by design. */
const MAX_HOLDERS = 3;
/** Functions outwards from the guilty one whose registers are looked at. */
const LEVELS = 3;
/** Of a running task's stack. */
const MAX_FRAMES = 32;

/** The slab objects that the fault's registers, and the places where its bad value was read, lie in; the nearest to the fault first. */
export function objectsOfFault(fault: FaultCase): readonly SharedObject[] {
  const { kernel, bad, activations, guiltyLevel } = fault;
  const found = new Map<bigint, SharedObject>();
  const consider = (value: bigint | undefined): void => {
    if (value === undefined || found.size >= MAX_OBJECTS || !kernel.arch.isKernelAddress(value)) return;
    const role = slabRole(tryIdentify(kernel, value));
    if (role !== undefined && !SHARED_BY_DESIGN.has(role.cache) && !found.has(role.object))
      found.set(role.object, sharedObject(kernel, role));
  };
  if (bad !== undefined) {
    for (const { load } of bad.origin?.steps ?? []) consider(load?.base ?? load?.address);
    consider(bad.value);
  }
  for (let level = 0; level <= guiltyLevel + LEVELS; level++) {
    const activation = activations.at(level);
    if (activation === undefined) break;
    for (const value of activation.registers.values()) consider(value);
  }
  return [...found.values()];
}

function sharedObject(kernel: Kernel, { object, objectSize, cache }: SlabRole): SharedObject {
  const typed = objectType(kernel, object);
  return { address: object, size: objectSize, cache, ...(typed === undefined ? {} : { type: typed.name }) };
}

/** Other tasks that hold pointers into the objects, the running ones first. @param except the task of the fault */
export function findSharers(kernel: Kernel, objects: readonly SharedObject[], except: VirtualAddress | undefined): readonly Sharer[] {
  const wanted = new Map<bigint, SharedObject>();
  for (const object of objects) {
    for (let offset = 0; offset < Math.min(object.size, MAX_BYTES); offset += 8) wanted.set(add(object.address, offset), object);
  }
  const own = new Set<bigint>(objects.map(({ address }) => address));
  const found = new Map<SharedObject, { readonly task: Task; readonly mention: Mention }[]>();
  for (const mention of findMentions(kernel, candidates(kernel, except, own), new Set(wanted.keys()), stackReader(kernel))) {
    const object = wanted.get(mention.lock);
    if (object === undefined || mention.function === undefined) continue;
    // What a task only kept across its sleep is no access: its own descriptors lie in the registers that the switch saved.
    const { function: name, task } = mention;
    if (!task.active && (MAIN_LOOPS.has(name) || isWaiting(name) || isPassedOver(name))) continue;
    const holders = found.get(object) ?? [];
    if (!holders.some(({ task }) => task.address === mention.task.address)) holders.push({ task: mention.task, mention });
    found.set(object, holders);
  }
  const few = [...found].filter(([, holders]) => holders.length <= MAX_HOLDERS);
  return few
    .flatMap(([object, holders]) => holders.map(({ task, mention }) => sharerOf(kernel, object, task, mention)))
    .sort(
      (a, b) =>
        Number(b.running) - Number(a.running) ||
        objects.findIndex((each) => each.address === a.object) - objects.findIndex((each) => each.address === b.object),
    );
}

/** Every task but the fault's own; a task is no sharer of its own task_struct. */
function candidates(kernel: Kernel, except: VirtualAddress | undefined, own: ReadonlySet<bigint>): readonly Task[] {
  try {
    return taskTable(kernel).tasks.filter(({ address }) => address !== except && !own.has(address));
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}

function sharerOf(kernel: Kernel, object: SharedObject, task: Task, { function: name, offset, register, lock }: Mention): Sharer {
  const { cpu } = task;
  const module = kernel.symbols.byName(name as string)?.module ?? (task.active ? moduleOnStack(kernel, task) : undefined);
  return {
    pid: task.pid,
    comm: task.comm,
    task: task.address,
    ...(cpu === undefined ? {} : { cpu }),
    running: task.active,
    function: plainName(name as string),
    ...(module === undefined ? {} : { module }),
    ...(offset === undefined ? {} : { offset }),
    ...(register === undefined ? {} : { register }),
    object: object.address,
    ...(object.type === undefined ? {} : { type: object.type }),
    cache: object.cache,
    pointer: virtual(lock),
  };
}

/** The module that a running task is in the code of, be it in what that called. */
function moduleOnStack(kernel: Kernel, { address }: Task): string | undefined {
  try {
    for (const { pc, certainty } of unwindTask(kernel, address).frames.slice(0, MAX_FRAMES)) {
      const module = certainty === "guessed" || !kernel.arch.isKernelAddress(pc) ? undefined : kernel.symbols.byAddress(pc)?.symbol.module;
      if (module !== undefined) return module;
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return undefined;
}
