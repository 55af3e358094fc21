/**
 * What does not go on, against what the lab's modules really do: circles of locks, holders that sleep, loops, stalls (lab/modules/lab_hang.c,
 * lab/views, and the planted faults of these classes with their labels). The same by the dump alone with the log's text gone. Where nobody
 * hangs the detectors must be silent.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases, faultsInCache, isRealTime, loadCase } from "../../lab/case-record.ts";
import { type FaultLabel, labelOn, plantedFaults } from "../../lab/faults/planted-fault.ts";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { virtual } from "../../src/bytes/address.ts";
import { createSession } from "../../src/commands/session.ts";
import { type DiagnosisContext, diagnosisContext } from "../../src/diagnosis/context.ts";
import { diagnoseIn } from "../../src/diagnosis/diagnose.ts";
import { confidenceOf } from "../../src/diagnosis/finding.ts";
import { HANG_DETECTORS } from "../../src/diagnosis/hang/index.ts";
import type { Diagnosis, VerdictClass } from "../../src/diagnosis/verdict.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

const CLASSES: ReadonlySet<VerdictClass> = new Set(HANG_DETECTORS.flatMap(({ classes }) => classes));

/** Labels of the lab's own scenarios. */
const HUNG: FaultLabel = {
  class: ["deadlock"],
  function: ["lab_hang_take_both"],
  module: "lab_hang",
  participants: ["lab-ab", "lab-ba"],
  root: "lab-ab and lab-ba take two mutexes in opposite order",
};
const CYCLE: FaultLabel = {
  class: ["deadlock"],
  function: ["views_cycle_body"],
  module: "lab_views",
  participants: ["lv-cycle-0", "lv-cycle-1", "lv-cycle-2"],
  root: "three threads take three mutexes in a circle",
};
const SPINS = {
  function: ["lab_hang_spinner"],
  module: "lab_hang",
  participants: ["lab-spinner"],
  root: "a thread spins with preemption off",
};
/** Without the readers' names who waits is all that can be told. */
const RWSEM_OF_REAL_TIME: FaultLabel = {
  class: ["hung-task"],
  function: ["lab_hang_writer"],
  module: "lab_hang",
  participants: ["lab-writer"],
  root: "lab-writer waits for a semaphore whose reader sleeps for ever",
};
const LABELS: Readonly<Record<string, FaultLabel>> = {
  hung: HUNG,
  "hung-tasks": HUNG,
  rwsem: {
    class: ["lock-held-by-sleeper"],
    function: ["lab_hang_reader"],
    module: "lab_hang",
    participants: ["lab-reader"],
    root: "lab-reader sleeps for ever with the semaphore held for reading",
  },
  soft: { class: ["soft-lockup"], ...SPINS },
  rcu: { class: ["rcu-stall"], ...SPINS },
  spin: {
    class: ["deadlock"],
    function: ["lab_hang_spin_both"],
    module: "lab_hang",
    participants: ["lab-spin-ab", "lab-spin-ba"],
    root: "two threads take two spinlocks in opposite order",
  },
  views: CYCLE,
};

function labelOf(made: CachedCase): FaultLabel | undefined {
  const { id } = made;
  if (id.endsWith("-rwsem") && isRealTime(made)) return RWSEM_OF_REAL_TIME;
  const [, kernel, name] = /^(.*)-fault-(.*?)(?:-smp\d+)?$/.exec(id) ?? [];
  const fault = name === undefined ? undefined : plantedFaults().find((each) => each.name === name);
  if (fault !== undefined && kernel !== undefined) {
    const label = labelOn(fault, kernel);
    // What died of a fault may hang besides: only the best answer counts.
    return label.class.some((each, index) => index === 0 && CLASSES.has(each)) ? label : undefined;
  }
  const scenario = Object.keys(LABELS).find((each) => id.endsWith(`-${each}`));
  return scenario === undefined ? undefined : LABELS[scenario];
}

// A kernel without BTF wants its vmlinux, and is opened elsewhere.
const cases = [...cachedCases(), ...faultsInCache()].filter(({ id }) => !/-(?:plain|up|debug|nosyms)-/.test(id));
const hanging = cases.flatMap((made) => {
  const label = labelOf(made);
  return label === undefined ? [] : [[made.id, made, label] as const];
});
/** Asked for, or dead of something else. */
const quiet = cases.filter((made) => labelOf(made) === undefined).map((made) => [made.id, made] as const);

const open = (made: CachedCase): Promise<Kernel> => openKernel([...(made.dumps[0]?.files ?? [])]);

/** The log was overwritten. */
function withoutLog(context: DiagnosisContext): DiagnosisContext {
  const { subject } = context;
  const gone = { ...subject, event: undefined, fault: undefined, facts: undefined, deliberate: undefined, before: [], after: [] };
  return { ...context, subject: gone };
}

const judge = (context: DiagnosisContext): Diagnosis => diagnoseIn(context, HANG_DETECTORS);

/** "kworker/*" of a label stands for any worker. */
function isNamed(comm: string, name: string): boolean {
  return name.endsWith("*") ? comm.startsWith(name.slice(0, -1)) : comm === name;
}

const UNNAMED = [
  /^the holder of the lock that it spins for is known$/,
  /^each lock names its holder/,
  /^each of them is held up by the next/,
  /^all have waited for longer than a lock in use/,
];

function check({ verdict, alternatives }: Diagnosis, label: FaultLabel, sure: boolean): void {
  // A mere possibility accuses nobody where nothing was reported: it stands beside the verdict.
  if (!sure && verdict.class === "unknown") {
    expect(alternatives.some((each) => label.class.includes(each.class))).toBe(true);
    return;
  }
  expect(label.class).toContain(verdict.class);
  // What no memory says leaves a verdict likely: who holds a spinlock or reads under a per-CPU semaphore, who would wake a wait queue.
  const open = (verdict.checks ?? []).filter(({ result }) => result !== "held").map(({ what }) => what);
  if (sure && (open.length === 0 || !open.every((what) => UNNAMED.some((each) => each.test(what)))))
    expect(verdict.confidence).toBe("high");
  expect(label.function).toContain(verdict.function);
  expect(verdict.module).toBe(label.module);
  const central = (verdict.participants ?? []).filter((each) => each.central === true).map(({ comm }) => comm ?? "");
  const wanted = label.participants ?? [];
  if (verdict.class === "deadlock" || verdict.class === "self-deadlock") {
    expect(central).toHaveLength(wanted.length);
    for (const name of wanted)
      expect(
        central.some((comm) => isNamed(comm, name)),
        `${name} in ${central.join(", ")}`,
      ).toBe(true);
  } else if (verdict.class !== "stuck-io" && wanted.length > 0) {
    expect(
      central.every((comm) => wanted.some((name) => isNamed(comm, name))),
      central.join(", "),
    ).toBe(true);
  }
}

/** Every command runs, and every value that is cited is in the dump. */
function checkEvidence(kernel: Kernel, { evidence }: Diagnosis): void {
  expect(evidence.length).toBeGreaterThan(0);
  const session = createSession(kernel);
  for (const { values, command } of evidence) {
    // What is piped into a tool is the shell's.
    expect(session.execute(command.split(" | ")[0] as string).result, command).toBeDefined();
    for (const { address, value } of values) {
      const size = value >> 32n === 0n ? 4 : 8;
      expect(size === 8 ? kernel.memory.u64(virtual(address)) : BigInt(kernel.memory.u32(virtual(address)))).toBe(value);
    }
  }
}

describe.each(hanging)("%s", (_id, made, label) => {
  test("class, place and everyone who takes part", async () => {
    const kernel = await open(made);
    const found = judge(diagnosisContext(kernel));
    check(found, label, label !== RWSEM_OF_REAL_TIME);
    checkEvidence(kernel, found);
    // A function that is not on the stack shown (a driver's that took a request, a storm's timer) leaves the mark to who hangs, or to none.
    const marked = found.frames.filter(({ guilty }) => guilty);
    const isOnStack = found.frames.some(({ function: name }) => name === found.verdict.function);
    expect(marked.length).toBeLessThanOrEqual(1);
    if (isOnStack) expect(marked).toHaveLength(1);
    kernel.dump.close();
  });

  test("the same without the log", async () => {
    const kernel = await open(made);
    check(judge(withoutLog(diagnosisContext(kernel))), label, false);
    kernel.dump.close();
  });
});

test.each(quiet)("%s: nobody is accused", async (_id, made) => {
  const kernel = await open(made);
  const context = diagnosisContext(kernel);
  const found = HANG_DETECTORS.filter((each) => each.appliesTo(context)).flatMap((each) => each.detect(context));
  expect(found.filter((each) => confidenceOf(each) !== "unknown")).toEqual([]);
  kernel.dump.close();
});

const many = loadCase("6.1-amd64-many");
test.skipIf(many === undefined)("five thousand tasks take three seconds at most", async () => {
  const kernel = await open(many as CachedCase);
  const context = diagnosisContext(kernel);
  const before = process.cpuUsage();
  judge(context);
  expect(process.cpuUsage(before).user / 1e6).toBeLessThan(3);
  kernel.dump.close();
});
