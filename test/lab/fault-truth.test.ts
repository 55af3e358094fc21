/**
 * Faults against what the lab's modules really do (lab/modules): class, function, member, object, and where the bad pointer came from. The
 * same cases by the dump alone, with the vmlinux and the modules' files, from kdump's filtered dumps, and with the log's text gone. Cases
 * in which nothing faulted must be silent.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, loadCase } from "../../lab/case-record.ts";
import { faultCases } from "../../lab/fault-cases.ts";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { virtual } from "../../src/bytes/address.ts";
import { createSession } from "../../src/commands/session.ts";
import { diagnosisContext } from "../../src/diagnosis/context.ts";
import { diagnoseIn } from "../../src/diagnosis/diagnose.ts";
import { type FaultCase, faultCase, faultCaseOf } from "../../src/diagnosis/fault/fault-case.ts";
import { FAULT_DETECTORS } from "../../src/diagnosis/fault/index.ts";
import { subjectOf } from "../../src/diagnosis/subject/subject.ts";
import type { Diagnosis, VerdictClass } from "../../src/diagnosis/verdict.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { dwarfDebugInfo } from "../../src/kernel/dwarf-factory.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { moduleDebug } from "../../src/linux/module-debug.ts";

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

interface Truth {
  readonly class: VerdictClass;
  readonly function: string;
  readonly module: string;
  /** Of the structure that the bad pointer should lead to, or that it was read from. Left out where the label is another thing. */
  readonly type?: string;
  readonly member?: string;
}

/** lab_fault.c: lab_fault_map_segment() with request->segment = NULL; the compiler loads sector first, or stores length. */
const NULL_SEGMENT: Truth = {
  class: "null-pointer-dereference",
  function: "lab_fault_map_segment",
  module: "lab_fault",
  type: "struct lab_segment",
};
/** lab_irq.c: lab_irq_account() of a NULL ring. */
const NULL_RING: Truth = {
  class: "null-pointer-dereference",
  function: "lab_irq_account",
  module: "lab_irq",
  type: "struct lab_ring",
  member: "consumed",
};
const NULL_CALL: Truth = {
  class: "null-function-call",
  function: "lab_fault_map_segment",
  module: "lab_fault",
  type: "struct lab_segment",
  member: "complete",
};

const TRUTH: Readonly<Record<string, Truth>> = {
  null: NULL_SEGMENT,
  timer: NULL_RING,
  irq: NULL_RING,
  work: NULL_RING,
  call: NULL_CALL,
  max: NULL_SEGMENT,
  "null-pointer": NULL_SEGMENT,
  uaf: { class: "use-after-free", function: "lab_slab_visit", module: "lab_slab", type: "struct lab_widget", member: "peer" },
  list: { class: "list-corruption", function: "lab_slab_corrupt_list", module: "lab_slab", type: "struct lab_widget", member: "node.prev" },
  stack: { class: "stack-overflow", function: "lab_fault_recurse", module: "lab_fault" },
};

const CASES =
  "5.10-amd64-null 5.10-amd64-kdump-timer 5.10-arm64-null 5.10-arm64-kdump-null 5.10-arm64-kdump-timer 6.1-amd64-null 6.1-amd64-call 6.1-amd64-uaf 6.1-amd64-list 6.1-amd64-stack 6.1-amd64-work 6.1-amd64-kdump-null 6.1-amd64-kdump-timer 6.1-arm64-null 6.1-arm64-irq 6.1-arm64-stack 6.1-arm64-kdump-null 6.1-arm64-kdump-timer 6.12-amd64-null 6.12-amd64-irq 6.12-amd64-kdump-timer 6.12-arm64-null 6.12-arm64-16k-null 6.12-arm64-call 6.12-arm64-max 6.12-arm64-kdump-timer sid-amd64-null sid-arm64-null sid-arm64-max sample-x86-64-null-pointer sample-arm64-null-pointer";
/** Built without BTF, or with KASAN: they want their vmlinux. */
const BUILT = "6.1-amd64-plain-null 6.1-amd64-up-null 6.1-amd64-up-timer 6.1-amd64-debug-null 6.1-arm64-plain-null sid-amd64-plain-null";
/** Nothing faulted: asked for, hung, or out of memory. */
const QUIET =
  "5.10-amd64-bare 5.10-arm64-views 6.1-amd64-bare 6.1-amd64-nmi 6.1-amd64-hung 6.1-amd64-rcu 6.1-amd64-soft 6.1-amd64-leak 6.1-amd64-ipi 6.1-amd64-many 6.12-amd64-spin 6.12-arm64-rwsem 6.12-amd64-kdump-panic sid-amd64-hung sid-arm64-views";

const there = (names: string): readonly (readonly [string, CachedCase])[] =>
  names.split(" ").flatMap((id) => {
    const made = loadCase(id);
    return made === undefined ? [] : [[id, made] as const];
  });

const truthOf = ({ id }: CachedCase): Truth => {
  const name = Object.keys(TRUTH).find((each) => id.endsWith(`-${each}`)) ?? "null";
  return TRUTH[name] as Truth;
};

function withVmlinux(made: CachedCase): boolean {
  return made.vmlinux !== undefined && existsSync(made.vmlinux);
}

async function open(made: CachedCase, described: boolean, dump = made.dumps[0]): Promise<Kernel> {
  if (!described) return openKernel(dump?.files ?? []);
  const vmlinux = await openVmlinux(made.vmlinux as string, { debugInfo: dwarfDebugInfo });
  const files = existsSync(made.modulesDir) ? readdirSync(made.modulesDir).map((name) => join(made.modulesDir, name)) : [];
  return openKernel(dump?.files ?? [], { vmlinux, moduleDebug: (kernel: Kernel) => moduleDebug(kernel, { files, search: false }).load });
}

/** Class, function and module always; type and member where the dump can tell them. */
function check(found: Diagnosis, truth: Truth, typed: boolean): void {
  const { verdict } = found;
  expect(verdict).toMatchObject({ class: truth.class, function: truth.function, module: truth.module, confidence: "high" });
  expect(found.alternatives.filter(({ confidence }) => confidence === "high")).toEqual([]);
  const { type, member } = verdict.object ?? {};
  if (typed || (type !== undefined && type !== "task stack")) {
    if (truth.type !== undefined) expect(type).toBe(truth.type);
    if (truth.member !== undefined) expect(member).toBe(truth.member);
  }
}

/** Every value that is cited is in the dump. */
function checkEvidence(kernel: Kernel, { evidence }: Diagnosis): void {
  expect(evidence.length).toBeGreaterThan(1);
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

/** What the detectors of faults alone say of a case. */
function judge(fault: FaultCase): Diagnosis {
  return diagnoseIn({ ...diagnosisContext(fault.kernel), subject: fault.subject, fault: () => fault }, FAULT_DETECTORS);
}

function caseOf(kernel: Kernel): FaultCase {
  const found = faultCase(kernel);
  if ("reason" in found) throw new Error(`no fault: ${found.reason}`);
  return found;
}

function fault(kernel: Kernel): Diagnosis {
  return judge(caseOf(kernel));
}

/** Classes that the detectors of faults speak for; what the kernel's own checks and watchdogs report is others'. */
const OF_FAULTS: ReadonlySet<VerdictClass> = new Set<VerdictClass>([
  "null-pointer-dereference",
  "err-pointer-dereference",
  "null-function-call",
  "wild-call",
  "use-after-free",
  "type-confusion",
  "overwritten-pointer",
  "bit-flip",
  "wild-pointer",
  "list-corruption",
  "out-of-bounds",
  "stack-overflow",
  "invalid-opcode",
]);

/** Nothing faults: the kernel's own checks report them (KFENCE, slub_debug, refcount_t, fortify). */
const OF_CHECKS = /^lkdtm-(?:kfence_|.*-debug$|refcount_|fortify_|usercopy_)/;
const planted = () =>
  faultCases().filter(({ label, fault: { name } }) => label.class.every((each) => OF_FAULTS.has(each)) && !OF_CHECKS.test(name));

describe("planted faults", () => {
  test.each(planted().map((each) => [each.case.id, each] as const))("%s", async (_, { case: made, label }) => {
    for (const described of withVmlinux(made) ? [false, true] : [false]) {
      const kernel = await open(made, described);
      const { verdict } = fault(kernel);
      expect(label.class).toContain(verdict.class);
      expect(verdict.confidence).not.toBe("unknown");
      if (label.function.length > 0) expect(label.function).toContain(verdict.function);
      kernel.dump.close();
    }
  });
});

describe("faults", () => {
  test.each(there(CASES))("%s: by the dump alone", async (_, made) => {
    const kernel = await open(made, false);
    const found = fault(kernel);
    check(found, truthOf(made), false);
    checkEvidence(kernel, found);
    kernel.dump.close();
  });

  test.each(there(`${CASES} ${BUILT}`).filter(([, made]) => withVmlinux(made)))("%s: with debug information", async (_, made) => {
    const kernel = await open(made, true);
    const found = fault(kernel);
    check(found, truthOf(made), true);
    checkEvidence(kernel, found);
    expect(found.verdict.file).toMatch(new RegExp(`${truthOf(made).module}\\.c$`));
    expect(found.frames.filter(({ guilty }) => guilty)).toMatchObject([{ module: truthOf(made).module }]);
    kernel.dump.close();
  });

  test.each(there(CASES))("%s: the same without the log's text", async (id, made) => {
    const kernel = await open(made, false);
    const subject = subjectOf(kernel);
    const found = faultCaseOf(kernel, { ...subject, event: undefined, fault: undefined, facts: undefined, taskBy: "panic" });
    if ("reason" in found) throw new Error(`${id}: ${found.reason}`);
    check(judge(found), truthOf(made), false);
    kernel.dump.close();
  });

  test.each(there("5.10-amd64-kdump-timer 5.10-arm64-kdump-timer 6.1-amd64-kdump-timer 6.12-amd64-kdump-timer"))(
    "%s: the same from every format and level",
    async (_, made) => {
      for (const dump of made.dumps) {
        const kernel = await open(made, false, dump);
        check(fault(kernel), truthOf(made), false);
        kernel.dump.close();
      }
    },
  );

  test.each(there("6.1-amd64-null 5.10-arm64-null sid-amd64-null"))("%s: the bad pointer is found where it still is", async (_, made) => {
    const kernel = await open(made, false);
    const found = caseOf(kernel);
    const { verdict } = judge(found);
    const load = found.bad?.origin?.steps.find((step) => step.load !== undefined)?.load;
    // request->segment, 8 bytes into a request whose magic number stands before it.
    expect(load).toMatchObject({ comparison: "same", now: 0n });
    expect(kernel.memory.u32(virtual((load?.address ?? 0n) - 8n))).toBe(0x1ab0cafe);
    expect(kernel.memory.cString(virtual((load?.address ?? 0n) + 8n), 16)).toBe("lab-owner");
    expect(verdict.origin).toMatch(/^loaded from /);
    kernel.dump.close();
  });

  test.each(there("6.1-amd64-null 6.1-amd64-uaf 6.1-arm64-irq sid-arm64-null 6.12-arm64-call"))(
    "%s: the task is gone, the log's registers are left",
    async (id, made) => {
      const kernel = await open(made, false);
      const found = faultCaseOf(kernel, { ...subjectOf(kernel), task: undefined });
      if ("reason" in found) throw new Error(`${id}: ${found.reason}`);
      expect(found.state.source).toBe("log");
      const { verdict } = judge(found);
      expect(verdict.confidence).not.toBe("unknown");
      // What the pointer was read from is further out: the poison and the NULL themselves are in the registers.
      if (!id.endsWith("call")) expect(verdict).toMatchObject({ class: truthOf(made).class, function: truthOf(made).function });
      kernel.dump.close();
    },
  );

  test.each(there(QUIET))("%s: nothing faulted", async (_, made) => {
    const kernel = await open(made, false);
    expect(faultCase(kernel)).toHaveProperty("reason");
    // Nor by its stack, when the log does not tell.
    const silent = { ...subjectOf(kernel), event: undefined, fault: undefined, facts: undefined, deliberate: undefined };
    expect(faultCaseOf(kernel, silent)).toHaveProperty("reason");
    kernel.dump.close();
  });
});
