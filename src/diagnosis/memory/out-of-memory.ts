/**
 * Memory ran out: of the machine, or of a control group that was at its limit; and who holds it. Row 26 of the catalogue.
 *
 * The proof is the kernel's report in the log, or out_of_memory() on the stack of the panic. Who holds the memory is a share of what is
 * counted: the largest of one slab cache, one process, shared memory, and pages that are in no account.
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cgroupHierarchies, tasksByCgroup } from "../../linux/cgroup.ts";
import { cgroupUsage } from "../../linux/cgroup-usage.ts";
import { memoryUse } from "../../linux/mm.ts";
import type { Task } from "../../linux/task.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { callerNamed, frameEvidence, lastFrames, lastStack, logRecords } from "../ending/last-stack.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { Check, Evidence } from "../verdict.ts";
import { type Holders, memoryHolders, sizeText } from "./holders.ts";
import { type OomReport, oomReport } from "./oom-report.ts";
import { participant, suspects } from "./suspects.ts";

const OUT = /^(?:out_of_memory|check_panic_on_oom|dump_header|oom_kill_process|mem_cgroup_out_of_memory)$/;
const OUT_OF_GROUP =
  /^(?:mem_cgroup_out_of_memory|mem_cgroup_oom|mem_cgroup_oom_synchronize|try_charge\w*|charge_memcg|__mem_cgroup_charge\w*)$/;
/** A share of all memory that makes its holder the reason. */
const MUCH = 0.3;

export const outOfMemory: Detector = {
  name: "out-of-memory",
  classes: ["out-of-memory", "oom-of-container"],
  needs: ["the kernel's report in the log, or out_of_memory() on the panic task's stack"],
  refutedBy: ["something else was reported before that killed the kernel"],
  appliesTo: ({ subject }) => subject.event === undefined || subject.event.family === "memory" || subject.event.family === "panic",
  detect(context) {
    const { kernel, subject } = context;
    const last = lastStack(kernel);
    const frame = callerNamed(last, OUT);
    if (frame === undefined && subject.event?.family !== "memory") return [];
    const report = subject.event === undefined ? undefined : oomReport(logRecords(kernel));
    const ofGroup =
      report?.group !== undefined || report?.constraint === "CONSTRAINT_MEMCG" || callerNamed(last, OUT_OF_GROUP) !== undefined;
    const evidence: Evidence[] = [];
    if (report !== undefined)
      evidence.push({
        claim: `the log says: ${report.comm} invoked oom-killer, order ${report.order}`,
        command: "log | grep 'invoked oom-killer'",
        values: [],
      });
    if (frame !== undefined && last !== undefined)
      evidence.push(frameEvidence(kernel, last, frame, `${frame.function} is on the stack of the panic`));
    const base = {
      evidence,
      depth: "mechanism" as const,
      ...(last === undefined ? {} : { frames: lastFrames(kernel, last, undefined) }),
      // Who happened to ask for the next page is not the one to blame.
      place: {},
    };
    return [ofGroup ? { ...base, ...ofContainer(context, report, evidence) } : { ...base, ...ofMachine(context, report, evidence) }];
  },
};

type Told = Pick<Finding, "class" | "title" | "checks" | "story"> & Partial<Finding>;

function ofMachine({ kernel }: DiagnosisContext, report: OomReport | undefined, evidence: Evidence[]): Told {
  const holders = memoryHolders(kernel, report);
  const suspect = holders === undefined ? undefined : suspects(kernel, holders)[0];
  const share = holders === undefined || suspect === undefined ? 0 : suspect.pages / holders.total;
  const checks: Check[] = [
    { what: "the kernel found no page that it could reclaim", result: "held" },
    { what: `one holder has more than ${MUCH * 100} % of all memory`, result: share >= MUCH ? "held" : "not possible" },
  ];
  if (suspect !== undefined) evidence.push(...suspect.evidence);
  evidence.push({ claim: "how the memory is used", command: "kmem -i", values: [] });
  const who = report?.comm === undefined ? "a task" : report.comm;
  const asked = report?.order === undefined ? "a page" : sizeText(kernel, 2 ** report.order);
  return {
    class: "out-of-memory",
    title:
      suspect === undefined
        ? `${who} asked for ${asked} and there was none`
        : `${suspect.what} ${suspect.pages > 0 ? `(${Math.round(share * 100)} % of all)` : ""}`.trim(),
    checks,
    story: [
      `${who} asked for ${asked}, nothing could be reclaimed, and the kernel gave up.`,
      ...(holders === undefined ? [] : [sums(kernel, holders)]),
      ...(suspect?.story ?? []),
    ],
    ...(suspect === undefined ? {} : { namedBy: { functions: [suspect.name, ...(suspect.object === undefined ? [who] : [])] } }),
    ...(suspect?.object === undefined ? {} : { object: suspect.object }),
    ...(suspect?.participants === undefined ? {} : { participants: suspect.participants }),
  };
}

function sums(kernel: Kernel, holders: Holders): string {
  const { total, free, freeCma = 0, anonymous, shared, pageCache, slab, stacks, pageTables, areas, perCpu, unaccounted } = holders;
  const parts: readonly (readonly [string, number | undefined])[] = [
    ["free", free],
    ["processes", anonymous],
    ["shared memory", shared],
    ["page cache", pageCache],
    ["slab", slab],
    ["stacks of tasks", stacks],
    ["page tables", pageTables],
    ["vmalloc()", areas],
    ["per-CPU memory", perCpu],
    ["in no account", unaccounted],
  ];
  const cma =
    freeCma < (free ?? 0) / 4
      ? ""
      : ` Of what is free ${sizeText(kernel, freeCma)} are reserved for CMA: only pages that can be moved may lie there.`;
  return `Of ${sizeText(kernel, total)}: ${parts.flatMap(([name, pages]) => (pages === undefined ? [] : [`${name} ${sizeText(kernel, pages)}`])).join(", ")}.${cma}`;
}

function ofContainer({ kernel }: DiagnosisContext, report: OomReport | undefined, evidence: Evidence[]): Told {
  const path = report?.group;
  const found = groupAtLimit(kernel, path);
  const name = path ?? found?.path ?? "?";
  const [largest] = found?.tasks ?? [];
  const top = largest === undefined ? undefined : `${largest.comm} (${largest.pid})`;
  if (found !== undefined && found.max !== undefined) {
    evidence.push({ claim: `${name} may use ${Math.round(found.max / 1024)} KiB`, command: "cgroup", values: [] });
  }
  return {
    class: "oom-of-container",
    title: `the control group ${name} is at its limit${found?.max === undefined ? "" : ` of ${Math.round(found.max / 1024)} KiB`}${top === undefined ? "" : `; ${top} uses the most`}`,
    checks: [
      { what: "the request was charged to a control group", result: "held" },
      {
        what: "the group's use is within a sixteenth of its limit",
        result:
          found?.max === undefined || found.current === undefined
            ? "not possible"
            : found.current >= found.max * (15 / 16)
              ? "held"
              : "not possible",
      },
    ],
    story: [
      `Not the machine ran out of memory but the control group ${name}: its limit is its own.`,
      ...(top === undefined ? [] : [`The largest process in it is ${top}.`]),
    ],
    ...(largest === undefined ? {} : { namedBy: { functions: [`process ${largest.comm}`] } }),
    ...(found === undefined ? {} : { object: { type: "struct mem_cgroup", address: found.address } }),
    ...(largest === undefined ? {} : { participants: [participant(largest, `uses the most of ${name}`)] }),
  };
}

interface FullGroup {
  readonly path: string;
  readonly address: bigint;
  readonly current: number | undefined;
  readonly max: number | undefined;
  /** With memory of their own, the largest first; one for each address space. */
  readonly tasks: readonly Task[];
}

/** The group by its path, or the one that is nearest to its limit. */
function groupAtLimit(kernel: Kernel, path: string | undefined): FullGroup | undefined {
  try {
    const found: (FullGroup & { readonly fullness: number })[] = [];
    for (const hierarchy of cgroupHierarchies(kernel, () => {}) ?? []) {
      for (const group of hierarchy.groups) {
        const memory = cgroupUsage(kernel, group).memory;
        if (memory?.max === undefined || memory.current === undefined || (path !== undefined && group.path !== path)) continue;
        const tasks = largestFirst(kernel, tasksByCgroup(kernel, hierarchy.address).get(group.address) ?? []);
        const state = group.controllers.find(({ name }) => name === "memory")?.state ?? group.address;
        found.push({
          path: group.path,
          address: state,
          current: memory.current,
          max: memory.max,
          tasks,
          fullness: memory.current / memory.max,
        });
      }
    }
    return found.sort((a, b) => b.fullness - a.fullness)[0];
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function largestFirst(kernel: Kernel, tasks: Iterable<Task>): readonly Task[] {
  const found = new Map<bigint, { readonly task: Task; readonly pages: number }>();
  for (const task of tasks) {
    if (task.mm === 0n || found.has(task.mm)) continue;
    found.set(task.mm, { task, pages: guarded(() => memoryUse(kernel, task.mm))?.residentPages ?? 0 });
  }
  return [...found.values()].sort((a, b) => b.pages - a.pages).map(({ task }) => task);
}
