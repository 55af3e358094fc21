/**
 * Frames with debug information against drgn's, on each kind of kernel whose vmlinux is in the cache: frames, inlined frames, source
 * lines, and the registers that calls preserve, for the stack of the panic and 50 other tasks.
 */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { builtCases, type CachedCase, cachedCases } from "../../lab/case-record.ts";
import { cachedPeers, runDrgn } from "../../lab/peers.ts";
import { Random } from "../../src/bytes/testing/random.ts";
import { dwarfDebugInfo } from "../../src/kernel/dwarf-factory.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { panicTask } from "../../src/linux/panic-task.ts";
import { taskTable } from "../../src/linux/task.ts";
import { withInlinedFrames } from "../../src/stack/inlined-frames.ts";
import { unwindTask } from "../../src/stack/unwind.ts";
import { type Comparison, compareStacks, drgnStacks, parseDrgnStacks } from "../support/drgn-frames.ts";

const TASKS = 50;

/** drgn opens these only with VMCOREINFO, and no flattened stream. */
function dumpOf(lab: CachedCase) {
  return lab.dumps.find(({ format, flattened, vmcoreinfo }) => (format === "elf" || format === "kdump") && !flattened && vmcoreinfo);
}

/** Differences that are not ours; who is right was found by the guest's own traces and the disassembly. */
const KNOWN: readonly { readonly why: string; readonly is: (difference: string) => boolean }[] = [
  {
    why: "arm64: the CPU had just taken an exception; where it was is a guess from x30, which drgn does not make",
    is: (text) => / frames\n {4}ours {3}\w+:vectors /.test(text),
  },
  {
    why: "arm64: a function interrupted before it made its frame record is called from where x30 says; drgn loses that caller",
    is: (text) => text.includes(":lab_irq_drain ") && text.includes(":lab_irq_work_fn "),
  },
  {
    why: "5.10 arm64: the guest itself lists ret_from_fork behind kthread",
    is: (text) => /:kthread \w+:ret_from_fork\n/.test(text) && /:kthread$/.test(text),
  },
  {
    why: "functions whose code is the same were folded: the kernel's table and DWARF choose different names",
    is: (text) => text.includes(":do_compat_epoll_pwait ") && text.includes(":do_epoll_pwait "),
  },
  {
    why: "drgn names the assembler function around the label that the kernel's own traces name",
    is: (text) =>
      (text.includes(":end_repeat_nmi ") && text.includes(":asm_exc_nmi ")) || (/:work_pending\n/.test(text) && /:ret_to_user$/.test(text)),
  },
  {
    why: "arm64: drgn takes the caller of a call to address 0 from x30 minus 4",
    is: (text) => text.includes(" 0:? ") && text.includes(" fffffffffffffffc:"),
  },
];

const peers = cachedPeers();
const cases = [...cachedCases(), ...builtCases()].filter((lab) => lab.vmlinux !== undefined && existsSync(lab.vmlinux) && dumpOf(lab));

describe.skipIf(peers === undefined).each(cases.map((lab) => [lab.id, lab] as const))("%s", (id, lab) => {
  test("frames, inlined frames, lines and registers are drgn's", { timeout: 300_000 }, async () => {
    const files = dumpOf(lab)?.files ?? [];
    const vmlinux = await openVmlinux(lab.vmlinux as string, { debugInfo: dwarfDebugInfo });
    const kernel = await openKernel(files, { vmlinux });
    const random = new Random(1);
    const { tasks } = taskTable(kernel);
    const others = tasks.filter(({ pid, active }) => pid !== 0 && !active);
    const chosen = Array.from({ length: TASKS }, () => others[random.below(others.length)]).filter((task) => task !== undefined);
    const panic = panicTask(kernel)?.task;
    // Every CPU has a task with pid 0.
    const wanted = [...new Set(panic === undefined || panic.pid === 0 ? chosen : [panic, ...chosen])];
    const script = drgnStacks(wanted.map(({ pid }) => pid));
    const said = await runDrgn(peers as NonNullable<typeof peers>, lab.vmlinux, files[0] as string, script, 240_000);
    const theirs = parseDrgnStacks(said.stdout.toString());
    const total = { frames: 0, inlined: 0, lines: 0, registers: 0, more: 0 } satisfies Omit<Comparison, "differences">;
    const wrong: string[] = [];
    for (const task of wanted) {
      const stack = theirs.get(task.pid);
      if (stack === undefined) continue;
      const { differences, ...counts } = compareStacks(withInlinedFrames(kernel, unwindTask(kernel, task.address)), stack);
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += counts[key];
      for (const difference of differences) {
        const text = `${task.pid} ${task.comm} ${difference}`;
        if (!KNOWN.some(({ is }) => is(text))) wrong.push(text);
      }
    }
    console.log(`${id}: ${JSON.stringify(total)}`);
    expect(wrong).toEqual([]);
    expect(theirs.size).toBeGreaterThan(20);
    expect(total.inlined).toBeGreaterThan(theirs.size);
    expect(total.registers).toBeGreaterThan(total.frames * 3);
  });

  test("without debug information no register is wrong, and few are missing", { timeout: 300_000 }, async () => {
    const files = dumpOf(lab)?.files ?? [];
    const vmlinux = await openVmlinux(lab.vmlinux as string, { debugInfo: dwarfDebugInfo });
    const described = await openKernel(files, { vmlinux });
    const bare = await openKernel(files).catch(() => undefined);
    // A kernel without BTF or symbols is not opened without its vmlinux.
    if (bare === undefined || bare.types.tryStruct("task_struct") === undefined) return;
    const count = { frames: 0, equal: 0, missing: 0, more: 0 };
    const wrong: string[] = [];
    for (const { address, pid } of taskTable(described).tasks) {
      const known = unwindTask(described, address).frames;
      const own = unwindTask(bare, address).frames;
      expect(own.map(({ pc }) => pc)).toEqual(known.map(({ pc }) => pc));
      known.forEach(({ registers, function: name }, i) => {
        count.frames++;
        for (const register of registers.file.calleeSaved) {
          const expected = registers.get(register);
          const found = own[i]?.registers.get(register);
          if (found === undefined) count[expected === undefined ? "equal" : "missing"]++;
          else if (expected === undefined) count.more++;
          else if (found === expected) count.equal++;
          else wrong.push(`${pid} #${i} ${name} ${registers.file.names[register]}: ${found.toString(16)}, not ${expected.toString(16)}`);
        }
      });
    }
    console.log(`${id} without vmlinux: ${JSON.stringify(count)}`);
    expect(wrong).toEqual([]);
    expect(count.missing).toBeLessThan(count.equal / 10);
  });
});
