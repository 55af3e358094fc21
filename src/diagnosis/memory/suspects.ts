/** Who may be the reason that memory ran out: the largest of each kind of holder, in words. */
import type { Kernel } from "../../kernel/kernel.ts";
import type { Task } from "../../linux/task.ts";
import type { Evidence, Participant, Verdict } from "../verdict.ts";
import { areasByCaller } from "./areas.ts";
import { type Holders, sizeText } from "./holders.ts";
import { perCpuMemory } from "./per-cpu-memory.ts";
import { makerOf, mostShared } from "./shared-files.ts";
import { largestFamily, STACK_MAKERS, type TaskFamily } from "./task-memory.ts";

/** Shared memory of fewer bytes is not looked into. */
const LITTLE = 16 << 20;
/** mm/percpu.c: chunks and their maps. */
const CHUNK_BOOKS = /^pcpu_\w+$/;

export interface Suspect {
  readonly pages: number;
  readonly what: string;
  readonly story: readonly string[];
  /** In the signature. */
  readonly name: string;
  readonly object?: NonNullable<Verdict["object"]>;
  readonly evidence: readonly Evidence[];
  readonly participants?: readonly Participant[];
}

/** The largest first. */
export function suspects(kernel: Kernel, { caches, processes, shared, areas, perCpu, unaccounted }: Holders): Suspect[] {
  const found: Suspect[] = [];
  const [cache] = caches;
  if (cache !== undefined) {
    const { name, address } = cache.cache;
    found.push({
      pages: cache.pages,
      name: `slab ${name}`,
      what: `the slab cache ${name} holds ${sizeText(kernel, cache.pages)}`,
      story: [`The slab cache ${name} has ${cache.allocated} objects in use of ${cache.total}: whoever makes them does not free them.`],
      object: { cache: name, address, ...(kernel.types.tryStruct(name) === undefined ? {} : { type: `struct ${name}` }) },
      evidence: [{ claim: `${name}: ${cache.allocated} objects in use`, command: `kmem -s ${name}`, values: [] }],
    });
  }
  const [process] = processes;
  if (process !== undefined)
    found.push({
      pages: process.pages,
      name: `process ${process.task.comm}`,
      what: `process ${process.task.comm} (${process.task.pid}) holds ${sizeText(kernel, process.pages)}`,
      story: [`Process ${process.task.pid} (${process.task.comm}) has the largest resident set.`],
      object: { type: "struct mm_struct", address: process.mm },
      participants: [participant(process.task, `has ${sizeText(kernel, process.pages)} resident`)],
      evidence: [
        { claim: `${process.task.comm} has ${sizeText(kernel, process.pages)} resident`, command: `ps ${process.task.pid}`, values: [] },
      ],
    });
  if (shared !== undefined) found.push(sharedMemory(kernel, shared));
  const family = largestFamily(kernel, caches);
  if (family !== undefined) found.push(tasksOf(kernel, family));
  if (perCpu !== undefined) found.push(perCpuObjects(kernel, perCpu));
  // Stacks are the tasks', and the books of the chunks are per-CPU memory's.
  const [caller] = areasByCaller(kernel).filter(({ function: name }) => !STACK_MAKERS.test(name) && !CHUNK_BOOKS.test(name));
  if (areas !== undefined && caller !== undefined) {
    const name = `${caller.function}${caller.module === undefined ? "" : ` [${caller.module}]`}`;
    found.push({
      name: `vmalloc of ${caller.function}`,
      pages: caller.pages,
      what: `areas of vmalloc() that ${name} asked for hold ${sizeText(kernel, caller.pages)}`,
      story: [`${name} asked for ${caller.areas.length} areas of vmalloc(), which are in use.`],
      evidence: [{ claim: "the areas of vmalloc()", command: "kmem -v", values: [] }],
    });
  }
  if (unaccounted !== undefined)
    found.push({
      pages: unaccounted,
      name: "unaccounted",
      what: `pages that are in no account hold ${sizeText(kernel, unaccounted)}`,
      story: [
        "These pages belong to no process, file or slab: some part of the kernel, a driver as a rule, took them from the page allocator and keeps them.",
      ],
      evidence: [],
    });
  return found.sort((a, b) => b.pages - a.pages);
}

/** What alloc_percpu() handed out: each object costs its size on every CPU, and each chunk its books, which come from vmalloc(). */
function perCpuObjects(kernel: Kernel, populated: number): Suspect {
  const books = areasByCaller(kernel).reduce((sum, { function: name, pages }) => (CHUNK_BOOKS.test(name) ? sum + pages : sum), 0);
  const pages = populated + books;
  return {
    pages,
    name: "per-cpu",
    what: `per-CPU memory holds ${sizeText(kernel, pages)}`,
    story: [
      `alloc_percpu() gave out ${sizeText(kernel, populated)}${books * 8 < populated ? "" : `, and its chunks' own books take ${sizeText(kernel, books)} of vmalloc()`}: an object costs its size once for every possible CPU. Whoever asks for them does not free them.`,
    ],
    evidence: perCpuMemory(kernel)?.evidence ?? [],
  };
}

/** Tasks that never end: their stacks and structures. */
function tasksOf(kernel: Kernel, { name, first, count, pages, place }: TaskFamily): Suspect {
  const each = Math.round((pages * kernel.arch.pageSize) / count / 1024);
  const many = `${count.toLocaleString("en-US")} tasks named ${name}`;
  return {
    pages,
    name: `tasks ${name}`,
    what: `${many} hold ${sizeText(kernel, pages)} in stacks and structures of their own`,
    story: [
      `Each of the ${many} costs some ${each} KiB: its stack, its task_struct and what goes with it.`,
      `${first.comm} (${first.pid}), the first of them, ${place === undefined ? "has not ended" : `is in ${place}`}: whoever makes them does not let them end.`,
    ],
    participants: [participant(first, `the first of ${count} that are alike`)],
    evidence: [{ claim: `where ${first.comm} sleeps`, command: `bt ${first.pid}`, values: [] }],
  };
}

/** Pages of tmpfs, by the mount or the maker of most of them. */
function sharedMemory(kernel: Kernel, pages: number): Suspect {
  const plain =
    "Pages of shared memory belong to files of a tmpfs or to shared mappings: without swap they cannot be reclaimed, and no process needs to be alive for them.";
  const most = pages * kernel.arch.pageSize < LITTLE ? undefined : mostShared(kernel);
  const mounts: Evidence = { claim: "the mounts of tmpfs", command: "mount", values: [] };
  if (most === undefined || most.pages < pages / 2)
    return {
      pages,
      name: "tmpfs",
      what: `files in shared memory (tmpfs) hold ${sizeText(kernel, pages)}`,
      story: [plain],
      evidence: [mounts],
    };
  const { mounted, name, files, largest } = most;
  const size = sizeText(kernel, most.pages);
  const many = `${files} ${files === 1 ? "file" : "files"}`;
  const evidence: Evidence[] = [
    {
      claim: `the largest of these files, "${largest.name}", has ${largest.pages} pages`,
      command: `struct address_space.nrpages ${largest.mapping.toString(16)}`,
      values: [{ address: largest.nrpages, value: BigInt(largest.pages) }],
    },
  ];
  if (mounted !== undefined)
    return {
      pages,
      name: "tmpfs",
      what: `files in shared memory (tmpfs) hold ${sizeText(kernel, pages)}`,
      story: [
        `${size} of it are ${many} on ${mounted}, the largest "${largest.name}" with ${sizeText(kernel, largest.pages)}: without swap they cannot be reclaimed, and no process needs to be alive for them.`,
      ],
      evidence: [...evidence, mounts],
    };
  return {
    pages,
    name: `tmpfs ${name ?? ""}`.trim(),
    what: `shared memory holds ${sizeText(kernel, pages)}, in ${many} "${name}" that no mount has`,
    story: [
      `${size} of it are ${many} named "${name}" on the mount that the kernel keeps for itself: ${makerOf(name ?? "")}. No path leads to them, and without swap they cannot be reclaimed.`,
    ],
    evidence,
  };
}

export function participant({ pid, comm, address }: Task, role: string): Participant {
  return { pid, comm, task: address, role, central: true };
}
