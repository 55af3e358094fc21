/**
 * A grace period of RCU that does not end, and who holds it up: the CPUs that its leaves still wait for, the readers that were preempted or
 * went to sleep inside rcu_read_lock(), or the thread of RCU that does not get a CPU (kernel/rcu/tree_stall.h).
 *
 *   rcu_state.gp_seq runs since gp_start ─► leaf.qsmask ─► CPU 1 ─► what loops there
 *                                           leaf.gp_tasks ─► the reader that sleeps
 */
import { cpuMasks } from "../../linux/cpu.ts";
import { type RcuFlavour, readRcu } from "../../linux/rcu.ts";
import { tickRate } from "../../linux/tick-rate.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import { byLoop, byReader, byStarvation, type Culprits, MAX_CULPRITS, type Stall, stallTimeout } from "./rcu-stall-finding.ts";
import { diedOfFault, type ReportedStall, reportedStalls } from "./reported.ts";
import { Standstill } from "./standstill.ts";
import { everyCpu, stoppedCpus } from "./stopped-cpu.ts";
import { stormOn } from "./storm.ts";
import { stormFinding } from "./storm-finding.ts";
import { flavourOfReport } from "./told-rcu-stall.ts";

function stallOf(still: Standstill, reported: readonly ReportedStall[]): Stall | undefined {
  const { kernel } = still;
  const report = reported.find(({ kind }) => kind === "rcu stall");
  const flavours = guarded(() => readRcu(kernel, cpuMasks(kernel).present, [])) ?? [];
  const [jiffies, rate] = [guarded(() => kernel.memory.u64(kernel.address("jiffies"))), tickRate(kernel)];
  const age = ({ started }: RcuFlavour): number | undefined => {
    if (started === undefined || jiffies === undefined || rate === undefined) return undefined;
    const ticks = BigInt.asIntN(64, jiffies - started);
    return ticks < 0n || ticks > 1n << 40n ? undefined : Number(ticks) / rate;
  };
  // Symbols that do not lead there: the report does.
  if (flavours.length === 0 && report !== undefined) {
    const told = guarded(() =>
      flavourOfReport(
        kernel,
        report,
        stoppedCpus(still).map(({ cpu }) => cpu),
      ),
    );
    return told === undefined ? undefined : { ...told, report };
  }
  const running = flavours.filter(({ inProgress, expeditedInProgress }) => inProgress === true || expeditedInProgress === true);
  for (const flavour of running) {
    const seconds = flavour.inProgress === true ? age(flavour) : undefined;
    if (report !== undefined) return { flavour, seconds, report };
    if (seconds !== undefined && seconds >= stallTimeout(kernel)) return { flavour, seconds, report: undefined };
  }
  return undefined;
}

function culpritsOf(still: Standstill, { flavour }: Stall): Culprits {
  const expedited = flavour.inProgress !== true;
  const cpus = flavour.leaves.flatMap(({ waitsFor, expeditedWaitsFor }) => (expedited ? expeditedWaitsFor : waitsFor));
  const readers = flavour.leaves
    .flatMap((leaf) => leaf.readers)
    .filter(({ blocks, blocksExpedited }) => (expedited ? blocksExpedited : blocks))
    .flatMap(({ task }) => still.task(task) ?? []);
  const kthread = flavour.kthread === undefined ? undefined : still.task(flavour.kthread);
  return { cpus: cpus.slice(0, MAX_CULPRITS), readers: readers.slice(0, MAX_CULPRITS), kthread };
}

function findings(context: DiagnosisContext): readonly Finding[] {
  const still = guarded(() => Standstill.of(context.kernel));
  const stall = still === undefined ? undefined : stallOf(still, reportedStalls(context));
  if (stall === undefined || still === undefined) return [];
  const culprits = culpritsOf(still, stall);
  const storms = everyCpu(still).flatMap((cpu) => {
    const storm = culprits.cpus.includes(cpu.cpu) || culprits.kthread?.cpu === cpu.cpu ? stormOn(still, cpu) : undefined;
    return storm === undefined ? [] : [{ storm, cpu }];
  });
  const besides = `the grace period of ${stall.flavour.name} does not end`;
  if (storms.length > 0)
    return storms.map(({ storm, cpu }) =>
      stormFinding(still, storm, { class: "rcu-stall", cpu, seconds: stall.seconds, report: stall.report, besides }),
    );
  const stopped = stoppedCpus(still);
  // The one that has had its CPU for longest is the one that loops.
  const cpus = stopped.filter(({ cpu }) => culprits.cpus.includes(cpu)).sort((a, b) => (b.onCpu ?? 0) - (a.onCpu ?? 0));
  const looping = cpus.find(({ guilty }) => guilty !== undefined);
  if (looping !== undefined) {
    const found = byLoop(still, context, stall, culprits, looping);
    return found === undefined ? [] : [found];
  }
  const [reader] = culprits.readers;
  if (reader !== undefined) return [byReader(still, stall, culprits, reader)];
  return byStarvation(still, context, stall, culprits, stopped);
}

export const rcuStall: Detector = {
  name: "rcu-stall",
  classes: ["rcu-stall"],
  needs: ["a grace period that was reported or runs for longer than RCU's stall timeout", "who its leaves wait for"],
  refutedBy: ["the grace period has ended", "nobody is left that holds it up"],
  appliesTo: (context) => !diedOfFault(context),
  detect: findings,
};
