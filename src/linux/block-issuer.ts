/**
 * Which task a block request is for. The request itself does not say; its bios and those who wait for them do.
 *
 *   bio.bi_private   a task (5.10's simple direct I/O), a completion on a task's stack (submit_bio_wait), a buffer_head, an iocb …
 *   bio_vec pages    a folio whose lock somebody waits for
 *   stacks           a task whose frames hold the address of the bio, of the request or of bi_private
 *
 * The first two are certain; a mention on a stack is likely when only one task has it. A write that was only cached when its task went on
 * (writeback) has nobody who waits, and none is named.
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { BlockRequest } from "./block-request.ts";
import type { LockCertainty, LockReport, LockTask } from "./locking/lock.ts";
import { lockTask, lockTaskAt } from "./locking/lock-tasks.ts";
import { findMentions, type StackReader } from "./locking/mentions.ts";
import { taskTable } from "./task.ts";
import { taskLayout } from "./task-layout.ts";

/** A task that a request is for. */
export interface RequestIssuer {
  readonly task: LockTask;
  readonly certainty: LockCertainty;
  readonly evidence: string;
}

/** Bios of one request that are followed. */
const MAX_BIOS = 256;
/** Pages of one bio that are looked up among the waits. */
const MAX_PAGES = 16;
/** Tasks named by mention for one request. */
const MAX_MENTIONED = 4;

interface RequestParts {
  readonly request: BlockRequest;
  readonly bios: readonly VirtualAddress[];
  readonly privates: readonly VirtualAddress[];
  readonly pages: readonly VirtualAddress[];
}

/** Tasks that wait for each request, by the request's address. */
export function requestIssuers(
  kernel: Kernel,
  requests: readonly BlockRequest[],
  report: LockReport,
  reader: StackReader,
): ReadonlyMap<VirtualAddress, readonly RequestIssuer[]> {
  const found = new Map<VirtualAddress, RequestIssuer[]>();
  const parts = requests.map((request) => partsOf(kernel, request));
  const waits = new Map<bigint, LockTask[]>();
  for (const wait of report.locks.flatMap((lock) => lock.waits)) {
    if (wait.lock === undefined) continue;
    const known = waits.get(wait.lock);
    if (known === undefined) waits.set(wait.lock, [wait.task]);
    else known.push(wait.task);
  }
  const stacks = new TaskStacks(kernel, reader.stackSize);
  for (const part of parts) found.set(part.request.address, certain(kernel, part, waits, stacks));
  mentioned(kernel, parts, found, reader);
  return found;
}

function partsOf(kernel: Kernel, request: BlockRequest): RequestParts {
  const struct = kernel.types.struct("bio");
  const [next, own, vectors, count] = [
    struct.field("bi_next"),
    struct.field("bi_private"),
    struct.tryField("bi_io_vec"),
    struct.tryField("bi_vcnt"),
  ];
  const page = kernel.types.tryStruct("bio_vec")?.tryField("bv_page");
  const size = kernel.types.tryStruct("bio_vec")?.size ?? 16;
  const bios: VirtualAddress[] = [];
  const privates: VirtualAddress[] = [];
  const pages: VirtualAddress[] = [];
  const seen = new Set<bigint>();
  try {
    for (let bio = request.bio; bio !== 0n && !seen.has(bio) && bios.length < MAX_BIOS; bio = next.pointer(bio)) {
      seen.add(bio);
      bios.push(bio);
      privates.push(own.pointer(bio));
      if (vectors === undefined || count === undefined || page === undefined) continue;
      const base = vectors.pointer(bio);
      for (let i = 0; i < Math.min(count.number(bio), MAX_PAGES); i++) pages.push(page.pointer(add(base, i * size)));
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return { request, bios, privates: privates.filter((each) => each !== 0n), pages };
}

function certain(
  kernel: Kernel,
  { privates, pages }: RequestParts,
  waits: ReadonlyMap<bigint, readonly LockTask[]>,
  stacks: TaskStacks,
): RequestIssuer[] {
  const issuers: RequestIssuer[] = [];
  const add = (task: LockTask | undefined, evidence: string) => {
    if (task !== undefined && !issuers.some((each) => each.task.address === task.address))
      issuers.push({ task, certainty: "exact", evidence });
  };
  for (const value of privates) {
    add(lockTaskAt(kernel, value), "bio->bi_private is the task");
    add(stacks.at(value), "bio->bi_private lies on its stack");
    for (const task of waits.get(value) ?? []) add(task, "it waits for bio->bi_private");
  }
  for (const page of pages) for (const task of waits.get(page) ?? []) add(task, "it waits for a page of the request");
  return issuers;
}

/** Names tasks by what their stacks hold for the requests that are still without one. */
function mentioned(kernel: Kernel, parts: readonly RequestParts[], found: Map<VirtualAddress, RequestIssuer[]>, reader: StackReader): void {
  const owners = new Map<bigint, VirtualAddress>();
  for (const { request, bios, privates } of parts) {
    if ((found.get(request.address)?.length ?? 0) > 0) continue;
    for (const value of [request.address, ...bios, ...privates]) if (kernel.arch.isKernelAddress(value)) owners.set(value, request.address);
  }
  if (owners.size === 0) return;
  const hits = new Map<VirtualAddress, RequestIssuer[]>();
  for (const { task, lock, function: name } of findMentions(kernel, taskTable(kernel).tasks, new Set(owners.keys()), reader)) {
    const request = owners.get(lock);
    if (request === undefined || task.idle) continue;
    const known = hits.get(request) ?? [];
    if (known.some((each) => each.task.address === task.address)) continue;
    known.push({
      task: lockTask(task),
      certainty: "possible",
      evidence: `its stack names the request${name === undefined ? "" : ` in ${name}`}`,
    });
    hits.set(request, known);
  }
  for (const [request, issuers] of hits) {
    const only = issuers.length === 1;
    found.set(
      request,
      issuers.slice(0, MAX_MENTIONED).map((each) => (only ? { ...each, certainty: "likely" as const } : each)),
    );
  }
}

/** Whose kernel stack an address lies on. */
class TaskStacks {
  readonly #starts: readonly (readonly [start: bigint, task: LockTask])[];
  readonly #size: bigint;

  constructor(kernel: Kernel, size: number) {
    const { stack } = taskLayout(kernel);
    this.#size = BigInt(size);
    this.#starts = taskTable(kernel)
      .tasks.flatMap((task) => {
        const start = kernel.memory.tryU64(stack.address(task.address));
        return start === undefined || start === 0n ? [] : [[start, lockTask(task)] as const];
      })
      .sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  at(address: bigint): LockTask | undefined {
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle]?.[0] ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.#starts[low - 1];
    return found !== undefined && address < found[0] + this.#size ? found[1] : undefined;
  }
}
