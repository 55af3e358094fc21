/**
 * Parameters and locals of frames against drgn's: names, and the bytes of every one that drgn has a value of, for the stack of the panic
 * and 50 other tasks of each kernel whose vmlinux is in the cache; and how many more parameters we have, which drgn cannot: it does not ask
 * callers.
 */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases } from "../../lab/case-record.ts";
import { cachedPeers, runDrgn } from "../../lab/peers.ts";
import { loadDisassembler } from "../../src/arch/disassembler.ts";
import { Random } from "../../src/bytes/testing/random.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { dwarfDebugInfo } from "../../src/kernel/dwarf-factory.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { panicTask } from "../../src/linux/panic-task.ts";
import { taskTable } from "../../src/linux/task.ts";
import { frameVariables } from "../../src/stack/frame-variables.ts";
import { withInlinedFrames } from "../../src/stack/inlined-frames.ts";
import { unwindTask } from "../../src/stack/unwind.ts";
import { type Counts, compareVariables, drgnVariables, NOTHING, parseDrgnVariables } from "../support/drgn-variables.ts";

const TASKS = 50;

/** drgn opens these only with VMCOREINFO, and no flattened stream. */
function dumpOf(lab: CachedCase) {
  return lab.dumps.find(({ format, flattened, vmcoreinfo }) => (format === "elf" || format === "kdump") && !flattened && vmcoreinfo);
}

const peers = cachedPeers();
const cases = cachedCases().filter((lab) => lab.vmlinux !== undefined && existsSync(lab.vmlinux) && dumpOf(lab));
const all: Counts = { ...NOTHING };

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

describe.skipIf(peers === undefined).each(cases.map((lab) => [lab.id, lab] as const))("%s", (id, lab) => {
  test("names and values are drgn's, and there are more of them", { timeout: 300_000 }, async () => {
    const files = dumpOf(lab)?.files ?? [];
    const vmlinux = await openVmlinux(lab.vmlinux as string, { debugInfo: dwarfDebugInfo });
    const kernel = await openKernel(files, { vmlinux });
    const random = new Random(1);
    const others = taskTable(kernel).tasks.filter(({ pid, active }) => pid !== 0 && !active);
    const chosen = Array.from({ length: TASKS }, () => others[random.below(others.length)]).filter((task) => task !== undefined);
    const panic = panicTask(kernel)?.task;
    const wanted = [...new Set(panic === undefined || panic.pid === 0 ? chosen : [panic, ...chosen])];
    const said = await runDrgn(
      peers as NonNullable<typeof peers>,
      lab.vmlinux,
      files[0] as string,
      drgnVariables(wanted.map(({ pid }) => pid)),
      240_000,
    );
    const theirs = parseDrgnVariables(said.stdout.toString());
    const counts: Counts = { ...NOTHING };
    const died: Counts = { ...NOTHING };
    const wrong: string[] = [];
    for (const task of wanted) {
      const stack = withInlinedFrames(kernel, unwindTask(kernel, task.address));
      theirs.get(task.pid)?.forEach((peer, i) => {
        const frame = stack.frames[i];
        // Which frames there are is debug-frames.test.ts's to compare.
        if (frame === undefined || frame.pc.toString(16) !== peer.pc || (frame.kind === "inline") !== peer.inline) return;
        if (peer.inline && frame.function !== peer.name) return;
        const differences = compareVariables(frameVariables(kernel, stack, frame), peer, counts);
        if (task === panic) compareVariables(frameVariables(kernel, stack, frame), peer, died);
        for (const difference of differences) wrong.push(`${task.pid} #${i} ${frame.function} ${difference}`);
      });
    }
    for (const key of Object.keys(all) as (keyof Counts)[]) all[key] += counts[key];
    console.log(
      `${id}: ${JSON.stringify(counts)} ratio ${(counts.ours / counts.theirs).toFixed(3)}; panic ${died.theirs} -> ${died.ours} of ${died.parameters}`,
    );
    expect(wrong).toEqual([]);
  });
});

afterAll(() => console.log(`all: ${JSON.stringify(all)} ratio ${(all.ours / all.theirs).toFixed(3)}`));
