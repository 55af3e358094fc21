/**
 * What functions were entered with against gdb, which resolves DW_OP_entry_value through callers too, but only by direct calls that their
 * debug information describes: wherever gdb has a value of a parameter at entry, ours must be equal.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cachedCases } from "../../lab/case-record.ts";
import { run } from "../../lab/process.ts";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { sizeOf } from "../../src/debug-info/c-type.ts";
import { DW_AT_location } from "../../src/debug-info/dwarf/constants.ts";
import { registerOf } from "../../src/debug-info/dwarf/expression-register.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { dwarfDebugInfo } from "../../src/kernel/dwarf-factory.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { taskTable } from "../../src/linux/task.ts";
import { FrameEvaluation } from "../../src/stack/frame-evaluation.ts";
import { unwindTask } from "../../src/stack/unwind.ts";
import { GDB_SCRIPT, parseGdb, writeCore } from "../support/gdb-entry-values.ts";

const GDB = "/usr/bin/gdb";
const KERNELS = ["5.10-amd64", "6.1-amd64", "6.12-amd64"];
const cases = cachedCases().filter(
  (lab) => KERNELS.some((kernel) => lab.id === `${kernel}-null`) && lab.vmlinux !== undefined && existsSync(lab.vmlinux),
);

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

describe.skipIf(!existsSync(GDB)).each(cases.map((lab) => [lab.id, lab] as const))("%s", (id, lab) => {
  test("parameters at entry are gdb's", { timeout: 600_000 }, async () => {
    const vmlinux = await openVmlinux(lab.vmlinux as string, { debugInfo: dwarfDebugInfo });
    const kernel = await openKernel(lab.dumps[0]?.files ?? [], { vmlinux });
    const stacks = taskTable(kernel)
      .tasks.filter(({ pid, active }) => pid !== 0 && !active)
      .map(({ address }) => unwindTask(kernel, address));
    const directory = mkdtempSync(join(tmpdir(), "inquest-gdb-"));
    try {
      const core = join(directory, "core");
      const script = join(directory, "entries.py");
      writeCore(core, kernel, stacks);
      writeFileSync(script, GDB_SCRIPT);
      const slide = `0x${(kernel.debugInfo.vmlinux?.bias ?? 0n).toString(16)}`;
      const args = ["-nx", "-batch", "-ex", `symbol-file -o ${slide} ${lab.vmlinux}`, "-ex", `core-file ${core}`, "-x", script];
      const said = await run(GDB, args, { timeoutMs: 500_000, allowFailure: true });
      const threads = parseGdb(said.stdout.toString());
      const counts = { frames: 0, theirs: 0, equal: 0, missing: 0, ours: 0 };
      const wrong: string[] = [];
      stacks.forEach((stack, thread) => {
        const byPc = new Map(threads.get(thread + 1)?.map((frame) => [frame.pc, frame]));
        stack.frames.forEach((frame, i) => {
          const evaluation = i === 0 ? undefined : FrameEvaluation.of(kernel, stack, i);
          const place = evaluation?.place;
          const peer = byPc.get(frame.pc.toString(16));
          if (evaluation === undefined || place === undefined || peer === undefined || place.function.entry === undefined) return;
          counts.frames++;
          for (const { kind, name, type, die } of place.function.variables) {
            if (kind !== "parameter" || !die.has(DW_AT_location)) continue;
            const first = die.unit.locationAt(die, DW_AT_location, place.function.entry);
            const register = first === undefined ? undefined : registerOf(first);
            if (register === undefined) continue;
            let value: bigint | undefined;
            let reason = "";
            try {
              value = evaluation.entry.value(register);
            } catch (error) {
              reason = String(error);
            }
            if (value !== undefined) counts.ours++;
            const theirs = peer.entries[name];
            if (theirs === undefined) continue;
            counts.theirs++;
            const bits = sizeOf(type) * 8;
            if (value === undefined) counts.missing++;
            if (value !== undefined && BigInt.asUintN(bits, value) === BigInt.asUintN(bits, BigInt(`0x${theirs}`))) counts.equal++;
            else wrong.push(`${thread} #${i} ${frame.function} ${name}: ours ${value?.toString(16)} ${reason}, theirs ${theirs}`);
          }
        });
      });
      console.log(`${id}: ${JSON.stringify(counts)}`);
      expect(wrong).toEqual([]);
      expect(counts.equal).toBeGreaterThan(20);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
