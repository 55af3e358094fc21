/**
 * Stacks against the guest's own word, on every case in the cache: each sleeping task against its /proc/PID/stack, the stack of the
 * panic against the log's call trace, function by function with offsets; on amd64 also against drgn's frames, where the case has a vmlinux.
 */
import { describe, test } from "vitest";
import { cachedCases } from "../../lab/case-record.ts";
import { cachedPeers } from "../../lab/peers.ts";
import { truthOf } from "../../lab/truth.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { checkDrgnPcs, drgnDump } from "../support/drgn-pcs.ts";
import { checkGuessedStack, checkPanicStack, checkSleepingStacks } from "../support/guest-stacks.ts";

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const open = async () => openKernel(lab.dumps[0]?.files ?? []);

  test("sleeping tasks stand where /proc/PID/stack said", async () => checkSleepingStacks(await open(), truthOf(lab)));

  const peers = cachedPeers();
  const elf = drgnDump(lab);
  test.skipIf(peers === undefined || elf === undefined || lab.vmlinux === undefined || lab.arch !== "amd64")(
    "drgn has the same frames",
    async () => checkDrgnPcs(peers as NonNullable<typeof peers>, await openKernel(elf?.files ?? []), lab),
  );

  test("the panic task's stack is the log's call trace", async () => checkPanicStack(await open(), lab.consolePath));

  const raw = lab.dumps.find((dump) => dump.format === "raw");
  test.skipIf(raw === undefined)("without registers it is still found, as a guess", async () => {
    checkGuessedStack(await openKernel([`${raw?.files[0]}@${(raw?.address ?? 0).toString(16)}`]), lab.consolePath);
  });
});
