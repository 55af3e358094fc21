/**
 * Structures of the kernel against dumps in which nothing touched them: every one must be silent, by the dump alone and from filtered
 * dumps; and against dumps with one word changed, where it must be found. Code against the vmlinux; how each case ended.
 */
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases, loadCase } from "../../lab/case-record.ts";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { virtual } from "../../src/bytes/address.ts";
import { createSession } from "../../src/commands/session.ts";
import { diagnosisContext } from "../../src/diagnosis/context.ts";
import { diagnoseIn } from "../../src/diagnosis/diagnose.ts";
import { ENDING_DETECTORS } from "../../src/diagnosis/ending/index.ts";
import { INTEGRITY_DETECTORS } from "../../src/diagnosis/integrity/index.ts";
import { checkKernelText } from "../../src/diagnosis/integrity/kernel-text.ts";
import { doubts } from "../../src/diagnosis/integrity/trust.ts";
import { surveyWhole } from "../../src/diagnosis/integrity/whole.ts";
import { MEMORY_DETECTORS } from "../../src/diagnosis/memory/index.ts";
import type { Diagnosis, VerdictClass } from "../../src/diagnosis/verdict.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { mutationsOf } from "../support/score-dumps/mutations.ts";
import { kernelIn, openLabDump, scoredDump } from "../support/score-dumps/open-case.ts";
import { overlaidDump } from "../support/score-dumps/overlay.ts";

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

/** Cases whose module damaged a structure before the end. */
const DAMAGED = /-(?:double|list|overflow|uaf)$|-fault-/;
const there = (names: string): readonly (readonly [string, CachedCase])[] =>
  names.split(" ").flatMap((id) => {
    const made = loadCase(id);
    return made === undefined ? [] : [[id, made] as const];
  });
const undamaged = cachedCases()
  .filter(({ id }) => !DAMAGED.test(id))
  .map((made) => [made.id, made] as const);

describe("structures that nothing touched", () => {
  test.each(undamaged)("%s: no damage, and no doubt", async (_, made) => {
    for (const dump of [made.dumps[0], made.dumps.find(({ level }) => level === 31)]) {
      if (dump === undefined) continue;
      const kernel = await openKernel(dump.files);
      const { damage, extent } = surveyWhole(kernel);
      expect(damage).toEqual([]);
      expect(extent.entries).toBeGreaterThan(5000);
      expect(extent.pointers).toBeGreaterThan(5000);
      expect(doubts(kernel)).toEqual([]);
      kernel.dump.close();
    }
  });

  test.each(
    there(
      "5.10-amd64-bare 6.1-amd64-views 6.12-amd64-bare sid-amd64-views 5.10-arm64-bare 6.1-arm64-views 6.12-arm64-views sid-arm64-views",
    ),
  )("%s: the code is the vmlinux's", async (_, made) => {
    if (made.vmlinux === undefined || !existsSync(made.vmlinux)) return;
    const kernel = await openKernel(made.dumps[0]?.files ?? [], { vmlinux: await openVmlinux(made.vmlinux) });
    const checked = checkKernelText(kernel);
    expect(checked?.flipped).toEqual([]);
    expect(checked?.pages).toBeGreaterThan(2000);
    kernel.dump.close();
  });
});

function judge(kernel: Kernel): Diagnosis {
  return diagnoseIn(diagnosisContext(kernel), [...MEMORY_DETECTORS, ...INTEGRITY_DETECTORS, ...ENDING_DETECTORS]);
}

/** Every value that is cited is in the dump, every command runs. */
function checkEvidence(kernel: Kernel, { evidence }: Diagnosis): void {
  const session = createSession(kernel);
  for (const { values, command } of evidence) {
    expect(session.execute(command.split(" | ")[0] as string).result, command).toBeDefined();
    for (const { address, value } of values) {
      const read = value >> 32n === 0n ? BigInt(kernel.memory.u32(virtual(address))) : kernel.memory.u64(virtual(address));
      expect(read).toBe(value);
    }
  }
}

describe("structures with one word changed", () => {
  test.each(there("6.1-amd64-bare 5.10-arm64-views 6.12-arm64-bare sid-amd64-views"))("%s", async (id, made) => {
    const dump = await openLabDump(scoredDump(made) as NonNullable<ReturnType<typeof scoredDump>>);
    const seen = { damage: 0, found: 0 };
    for (const mutation of mutationsOf(kernelIn(dump), { seed: `integrity ${id}`, count: 20 })) {
      if (mutation.needsVmlinux === true) continue;
      const kernel = kernelIn(overlaidDump(dump, mutation.edits));
      const found = judge(kernel);
      checkEvidence(kernel, found);
      if (mutation.label.class.includes("deliberate")) expect(found.verdict.class, mutation.what).toBe("deliberate");
      else {
        seen.damage++;
        if (mutation.label.class.includes(found.verdict.class)) seen.found++;
        // What cannot be told is kept to oneself: nothing else is accused.
        else
          expect(["deliberate", "overwritten-pointer", "bit-flip", "list-corruption", "use-after-free"], mutation.what).toContain(
            found.verdict.class,
          );
      }
    }
    expect(seen.found / seen.damage).toBeGreaterThan(0.85);
    dump.close();
  });
});

describe("how it ended", () => {
  const ENDS: Readonly<Record<string, VerdictClass>> = {
    "5.10-amd64-bare": "deliberate",
    "5.10-arm64-views": "deliberate",
    "6.1-amd64-nmi": "deliberate",
    "6.1-amd64-many": "deliberate",
    "6.12-arm64-views": "deliberate",
    "sid-amd64-views": "deliberate",
    "6.1-amd64-ipi": "device-panic",
    "6.12-amd64-kdump-panic": "device-panic",
    "6.1-amd64-fault-scratchfs": "out-of-memory",
    "6.1-amd64-fault-capring": "out-of-memory",
    "6.1-amd64-fault-cgcache": "oom-of-container",
    "6.1-amd64-fault-fsmount": "filesystem-panic",
  };
  test.each(there("6.1-amd64-leak"))("%s: what ran out was lost", async (_id, made) => {
    const kernel = await openKernel(made.dumps[0]?.files ?? []);
    const found = judge(kernel);
    expect(found.verdict).toMatchObject({ class: "memory-leak", confidence: "likely" });
    checkEvidence(kernel, found);
    kernel.dump.close();
  });

  test.each(there(Object.keys(ENDS).join(" ")))("%s", async (id, made) => {
    const kernel = await openKernel(made.dumps[0]?.files ?? []);
    const found = judge(kernel);
    // lab_views keeps a thread that spins for a lock, which leaves a doubt wherever the CPU was struck in it.
    const confidence = id.endsWith("-views") ? expect.stringMatching(/^(?:high|likely)$/) : "high";
    expect(found.verdict).toMatchObject({ class: ENDS[id], confidence });
    checkEvidence(kernel, found);
    kernel.dump.close();
  });
});
