/**
 * Stacks against the guest's own word, on every case in the cache: each sleeping task against its /proc/PID/stack, the stack of the
 * panic against the log's call trace, function by function with offsets; on amd64 also against drgn's frames, where the case has a vmlinux.
 */
import { describe, expect, test } from "vitest";
import { cachedCases } from "../../lab/case-record.ts";
import { cachedPeers, runDrgn } from "../../lab/peers.ts";
import { truthOf } from "../../lab/truth.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { taskTable } from "../../src/linux/task.ts";
import { unwindTask } from "../../src/stack/unwind.ts";
import { checkGuessedStack, checkPanicStack, checkSleepingStacks } from "../support/guest-stacks.ts";

/** One line a task: pid and the pcs of its physical frames. */
const DRGN_FRAMES = `
from drgn.helpers.linux import for_each_task
for task in for_each_task(prog):
    try:
        print(task.pid.value_(), *("%x" % frame.pc for frame in prog.stack_trace(task) if not frame.is_inline))
    except Exception:
        pass
`;

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const open = async () => openKernel(lab.dumps[0]?.files ?? []);

  test("sleeping tasks stand where /proc/PID/stack said", async () => checkSleepingStacks(await open(), truthOf(lab)));

  const peers = cachedPeers();
  // drgn wants VMCOREINFO, and no flattened stream.
  const elf = lab.dumps.find((dump) => dump.format === "elf" && !dump.flattened && dump.vmcoreinfo);
  test.skipIf(peers === undefined || elf === undefined || lab.vmlinux === undefined || lab.arch !== "amd64")(
    "drgn has the same frames",
    async () => {
      const result = await runDrgn(peers as NonNullable<typeof peers>, lab.vmlinux, elf?.files[0] as string, DRGN_FRAMES, 300_000);
      const kernel = await openKernel(elf?.files ?? []);
      const { byPid } = taskTable(kernel);
      const wrong: string[] = [];
      const lines = result.stdout.toString().trim().split("\n");
      for (const line of lines) {
        const [pid, ...pcs] = line.split(" ");
        const task = byPid.get(Number(pid));
        if (task === undefined) continue;
        const { frames, user } = unwindTask(kernel, task.address);
        const ours = frames.map((frame) => frame.pc.toString(16));
        // drgn goes on into user space, where it may take anything for a frame.
        const theirs = user === undefined ? pcs : pcs.slice(0, ours.length);
        if (ours.join(" ") !== theirs.join(" ")) wrong.push(`${pid} ${task.comm}: ${ours.join(" ")} | ${theirs.join(" ")}`);
      }
      expect(wrong).toEqual([]);
      expect(lines.length).toBeGreaterThan(20);
    },
  );

  test("the panic task's stack is the log's call trace", async () => checkPanicStack(await open(), lab.consolePath));

  const raw = lab.dumps.find((dump) => dump.format === "raw");
  test.skipIf(raw === undefined)("without registers it is still found, as a guess", async () => {
    checkGuessedStack(await openKernel([`${raw?.files[0]}@${(raw?.address ?? 0).toString(16)}`]), lab.consolePath);
  });
});
