/** The survey of everything that a kernel certainly has, and the damage that it found; once per dump. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { add, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { fileSystemChain } from "../../linux/file-system-types.ts";
import { netNamespaces } from "../../linux/net/namespace.ts";
import { taskTable } from "../../linux/task.ts";
import type { Damage } from "./damage.ts";
import { checkFreeLists } from "./free-lists.ts";
import { superBlocksHead } from "./heads.ts";
import { judgeCounts } from "./judge-counts.ts";
import { judgePointers } from "./judge-pointers.ts";
import { checkRing } from "./ring.ts";
import { surveyFileSystems } from "./structures/file-systems.ts";
import { surveyFiles } from "./structures/files.ts";
import { isNoIdleTask } from "./structures/idle-tasks.ts";
import { surveyDevices, surveyKernelLists, surveyKernfs, surveyVmalloc } from "./structures/kernel-lists.ts";
import { surveyFreePages, surveyMappings, surveyPartialSlabs } from "./structures/memory.ts";
import { surveyMemoryMaps } from "./structures/memory-maps.ts";
import { surveyPids } from "./structures/pid-table.ts";
import { surveyRunQueues, surveyWaitLists, surveyWorkers } from "./structures/queues.ts";
import { surveyReclaimLists } from "./structures/reclaim-lists.ts";
import { surveyTasks } from "./structures/tasks.ts";
import { surveyTimers } from "./structures/timers.ts";
import { Survey } from "./survey.ts";
import type { KnownSetName, KnownSets } from "./target-kind.ts";
import { Targets } from "./targets.ts";

export interface Surveyed {
  readonly damage: readonly Damage[];
  /** What was looked at, for people: "214 lists with 31,402 entries, 50,112 pointers …". */
  readonly extent: {
    readonly lists: number;
    readonly entries: number;
    readonly pointers: number;
    readonly counters: number;
    readonly slabs: number;
  };
}

const SOURCES: readonly ((survey: Survey) => void)[] = [
  surveyTasks,
  surveyFiles,
  surveyMappings,
  surveyFileSystems,
  surveyKernelLists,
  surveyDevices,
  surveyVmalloc,
  surveyPartialSlabs,
  surveyKernfs,
  surveyFreePages,
  surveyTimers,
  surveyReclaimLists,
  surveyPids,
  surveyRunQueues,
  surveyWaitLists,
  surveyWorkers,
  surveyMemoryMaps,
];

/** Never throws for damaged memory. */
export function surveyWhole(kernel: Kernel, progress?: (what: string, done: number, total: number) => void): Surveyed {
  return kernel.memo(surveyWhole, () => {
    const targets = new Targets(kernel, knownSets(kernel));
    const survey = new Survey(kernel, targets);
    for (const [index, source] of SOURCES.entries()) {
      progress?.("structures", index, SOURCES.length);
      survey.quietly(() => source(survey));
    }
    const lists = checkFreeLists(kernel);
    const known = [...survey.damage, ...survey.settled(), ...lists.damage, ...judgeCounts(survey)];
    const { rings, nodes, pointers, counts } = survey;
    return {
      damage: [...known, ...judgePointers(survey, known)],
      extent: { lists: rings, entries: nodes, pointers: pointers.length, counters: counts.length, slabs: lists.slabs },
    };
  });
}

/** More than any kernel registers, and mounts. */
const MAX_FILE_SYSTEMS = 1024;
const MAX_SUPER_BLOCKS = 1 << 17;

function knownSets(kernel: Kernel): KnownSets {
  const superBlocks = new Set<bigint>();
  const fileSystems = new Set<bigint>();
  const nets = new Set<bigint>();
  let tasks: ReadonlyMap<bigint, unknown> = new Map<bigint, unknown>();
  const partial = new Set<KnownSetName>();
  const quietly = (set: KnownSetName, work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      partial.add(set);
    }
  };
  quietly("superBlocks", () => {
    const head = superBlocksHead(kernel);
    const { offset } = kernel.types.struct("super_block").field("s_list");
    // Its damage is taken down when the list's turn comes.
    const ring = head === undefined ? undefined : checkRing(kernel, head, MAX_SUPER_BLOCKS);
    for (const node of ring?.nodes ?? []) superBlocks.add(add(node, -offset));
    if (ring?.whole !== true) partial.add("superBlocks");
  });
  quietly("fileSystems", () => {
    const chain = fileSystemChain(kernel);
    const first = chain.first();
    const used = kernel.types.struct("super_block").field("s_type");
    // Where the list has no symbol it is entered through the file systems that are in use.
    const starts = first !== undefined ? [first] : [...superBlocks].map((block) => used.pointer(virtual(block)));
    for (const start of starts) {
      quietly("fileSystems", () => {
        for (
          let type: VirtualAddress | undefined = start;
          type !== undefined && !fileSystems.has(type) && fileSystems.size < MAX_FILE_SYSTEMS;
          type = chain.next(type)
        )
          if (first !== undefined || type !== start) fileSystems.add(type);
      });
    }
  });
  quietly("nets", () => {
    const broken: string[] = [];
    for (const { address } of netNamespaces(kernel, broken)) nets.add(address);
    if (broken.length > 0) partial.add("nets");
  });
  quietly("tasks", () => {
    const { tasks: all, incomplete } = taskTable(kernel);
    const real = all.filter(({ address, idle }) => !idle || !isNoIdleTask(kernel, address));
    tasks = new Map<bigint, unknown>([
      ...real.map((task) => [task.address, task] as const),
      ...idleTasks(kernel).map((task) => [task, undefined] as const),
    ]);
    if (incomplete !== undefined) partial.add("tasks");
  });
  return { tasks, superBlocks, nets, fileSystems, partial };
}

/** idle_threads of each CPU (kernel/smpboot.c): a damaged rq.idle keeps its task from those that are known. */
function idleTasks(kernel: Kernel): bigint[] {
  const variable = kernel.tryAddress("idle_threads");
  if (variable === undefined) return [];
  return kernel.perCpuOffsets.flatMap((offset, cpu) => {
    const task = offset === undefined ? undefined : kernel.memory.tryU64(kernel.perCpuAddress(variable, cpu));
    return task === undefined || task === 0n ? [] : [task];
  });
}
