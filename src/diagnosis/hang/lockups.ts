/**
 * CPUs that do not come back: soft lockups (nothing else is scheduled), hard lockups (not even interrupts are taken), and what they loop for.
 *
 *   reported  the watchdog named the CPU; the registers where the machine stopped are a second sample of the same loop
 *   measured  without a report: interrupts off and no tick for a second, or the watchdog's thread not run for twice watchdog_thresh
 *
 *   spins for a lock ─► its holder, on another CPU ─► the loop there is the root
 *   waits for another CPU to run a function ─► that one, with interrupts off, is the root
 *   walks a list that closes in a circle ─► the list is
 *   interrupts leave it no time ─► their line, and who serves it (storm.ts)
 *   anything else ─► the function that loops
 */

import type { DiagnosisContext } from "../context.ts";
import { guarded } from "../guarded.ts";
import type { VerdictClass } from "../verdict.ts";
import { chainFrom, type HangEdge, hangEdges } from "./edges.ts";
import { type ListCircle, listCircle } from "./list-circle.ts";
import { type ReportedStall, reportedStalls } from "./reported.ts";
import type { Standstill } from "./standstill.ts";
import { everyCpu, type StoppedCpu, stoppedCpus, waitsForCall, watchdogRuns, watchdogThreshold } from "./stopped-cpu.ts";
import { stormOn } from "./storm.ts";

/** Seconds with interrupts off that no code of the kernel takes; printing to a slow console excepted. */
const NO_TICK = 1;
const PRINTS =
  /^(?:console_\w+|vprintk\w*|_?printk|serial8250_\w+|uart_\w+|univ8250_\w+|pl011_\w+|wait_for_xmitr|wait_for_lsr|nbcon_\w+|panic|vpanic|__crash_kexec|crash_\w+|machine_\w+|native_machine_\w+|kgdb_\w+|kdb_\w+|sysrq_handle_\w+|__handle_sysrq)$/;

/**
 * Where a panic stops the other CPUs: arch/x86/kernel/process.c and reboot.c, arch/arm64/kernel/smp.c, kernel/panic.c. When the stack cannot
 * be followed out of there (a page of it is missing), nothing is known of what the CPU did, and interrupts are off for the stop's sake.
 */
const STOPS =
  /^(?:stop_this_cpu|crash_nmi_callback|smp_stop_nmi_callback|nmi_shootdown_\w+|kdump_nmi_callback|local_cpu_stop|ipi_cpu_(?:crash_)?stop|cpu_park_loop|(?:nmi_)?panic_(?:smp_)?self_stop|__?nmi_handle|default_do_nmi|exc_nmi|do_nmi|asm_exc_nmi)$/;

export interface Lockup {
  readonly cpu: StoppedCpu;
  readonly class: VerdictClass;
  readonly report: ReportedStall | undefined;
  /** Seconds, as it was measured or reported. */
  readonly seconds: number | undefined;
}

/** CPUs that are locked up, those that were reported first. */
export function lockups(still: Standstill, context: DiagnosisContext): readonly Lockup[] {
  const reported = reportedStalls(context);
  const found: Lockup[] = [];
  const busy = new Set(stoppedCpus(still));
  for (const cpu of everyCpu(still)) {
    const own = reported.filter((each) => each.cpu === cpu.cpu);
    const hard = own.find(({ kind }) => kind === "hard lockup");
    const soft = own.find(({ kind }) => kind === "soft lockup");
    const report = hard ?? soft;
    if (report !== undefined) {
      // Another task since: it came back.
      if (report.pid !== undefined && report.pid !== cpu.task.pid) continue;
      // What idles does not loop; interrupts may leave it no time all the same.
      if (!busy.has(cpu) && stormOn(still, cpu) === undefined) continue;
      found.push({
        cpu,
        class: hard === undefined ? "soft-lockup" : "hard-lockup",
        report,
        seconds: report.seconds ?? told(hard === undefined ? cpu.noThread : cpu.noTick),
      });
      continue;
    }
    const measured = busy.has(cpu) ? measure(still, cpu) : undefined;
    if (measured !== undefined) found.push({ cpu, report: undefined, ...measured });
  }
  return found.sort((a, b) => Number(b.report !== undefined) - Number(a.report !== undefined) || (b.seconds ?? 0) - (a.seconds ?? 0));
}

/** Less than a second says nothing of a lockup. */
function told(seconds: number | undefined): number | undefined {
  return seconds === undefined || seconds < 1 ? undefined : seconds;
}

function measure(still: Standstill, cpu: StoppedCpu): Pick<Lockup, "class" | "seconds"> | undefined {
  if (STOPS.test((cpu.stack.frames[cpu.struck]?.function ?? "").replace(/\..*/, ""))) return undefined;
  if (cpu.stack.frames.some(({ function: name }) => PRINTS.test((name ?? "").replace(/\..*/, ""))) && isDying(cpu)) return undefined;
  if (cpu.interruptsOff === true && cpu.noTick !== undefined && cpu.noTick >= NO_TICK) return { class: "hard-lockup", seconds: cpu.noTick };
  const limit = 2 * watchdogThreshold(still.kernel);
  const inKernel = cpu.stack.user === undefined || cpu.stack.frames.length > 0;
  if (inKernel && watchdogRuns(still) && cpu.noThread !== undefined && cpu.noThread >= limit && (cpu.onCpu ?? 0) >= limit)
    return { class: "soft-lockup", seconds: cpu.noThread };
  return undefined;
}

/** The CPU that panics, or prints, by itself: not one that an NMI or an interrupt took out of a loop. */
function isDying({ stack, struck }: StoppedCpu): boolean {
  return stack.frames.slice(struck).some(({ function: name }) => PRINTS.test((name ?? "").replace(/\..*/, "")));
}

/** What a CPU's loop comes to in the end. */
export interface LoopRoot {
  /** The CPU whose loop it is: of the spinning one the lock's holder. */
  readonly cpu: StoppedCpu;
  readonly chain: readonly HangEdge[];
  readonly list: ListCircle | undefined;
  /** The chain goes round: another detector's. */
  readonly circle: boolean;
}

export function loopRoot(still: Standstill, cpu: StoppedCpu): LoopRoot {
  const chain = chainFrom(hangEdges(still), cpu.task.address);
  const end = chain.at(-1)?.to.address;
  const circle = end !== undefined && chain.some(({ from }) => from.address === end);
  const root = stoppedCpus(still).find(({ task }) => task.address === end) ?? cpu;
  return { cpu: root, chain, list: guarded(() => listCircle(still.kernel, root)), circle };
}

/** CPUs that do not come back and that a CPU may wait for to run a function: what is asked by an interrupt they do not take. */
export function sentFor({ cpu }: Lockup, all: readonly Lockup[]): readonly Lockup[] {
  if (waitsForCall(cpu) === undefined) return [];
  return all.filter((each) => each.cpu.interruptsOff === true && each.cpu.cpu !== cpu.cpu && waitsForCall(each.cpu) === undefined);
}
