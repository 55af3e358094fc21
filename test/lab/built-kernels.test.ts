/**
 * Kernels that the lab built itself, which carry no BTF, ORC or data symbols (or no second CPU, or all of a developer's checks), opened
 * with their vmlinux and held against the guest's own word: tasks, modules, symbols, mounts, log, processes, stacks.
 */
import { describe, expect, test } from "vitest";
import { builtCases } from "../../lab/case-record.ts";
import { cachedPeers } from "../../lab/peers.ts";
import { truthOf } from "../../lab/truth.ts";
import { createSession } from "../../src/commands/session.ts";
import { Slabs } from "../../src/linux/slab.ts";
import { taskTable } from "../../src/linux/task.ts";
import { openBuilt } from "../support/built-kernel.ts";
import { checkDrgnPcs, drgnDump } from "../support/drgn-pcs.ts";
import { checkLimits, checkMachine, checkMappings, checkModuleSections, checkSizes, checkStrings } from "../support/guest-processes.ts";
import { checkPanicStack, checkSleepingStacks } from "../support/guest-stacks.ts";
import { ask, checkLog, checkModules, checkMounts, checkSymbols, checkTasks } from "../support/guest-word.ts";

describe.each(builtCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const truth = truthOf(lab);
  // Without kallsyms the guest has no names for its stacks, and shows no addresses of modules.
  const namesSymbols = (truth.files.read("proc/kallsyms") ?? "") !== "";

  test.each(lab.dumps.map((dump) => [dump.name, dump] as const))("%s answers as the guest did", async (_name, dump) => {
    const kernel = await openBuilt(lab, dump);
    try {
      const session = createSession(kernel);
      const cpus = lab.kernel.flavour === "up" ? 1 : 2;
      expect(ask<{ release: string; cpus: number }>(session, "sys")).toMatchObject({ release: lab.release, cpus });
      checkTasks(session, truth, true);
      if (namesSymbols) {
        checkModules(session, truth);
        checkSymbols(session, truth);
      }
      checkMounts(session, truth);
      checkLog(session, truth);
    } finally {
      kernel.dump.close();
    }
  });

  test("processes and machine are as the guest said", async () => {
    const kernel = await openBuilt(lab);
    checkSizes(kernel, truth);
    checkMappings(kernel, truth);
    checkStrings(kernel, truth, false);
    checkLimits(kernel, truth);
    checkMachine(kernel, truth);
    checkModuleSections(kernel, truth);
  });

  test.runIf(namesSymbols)("sleeping tasks stand where /proc/PID/stack said", async () => checkSleepingStacks(await openBuilt(lab), truth));
  test("tasks, their memory and signals are objects of their slab caches", async () => {
    const kernel = await openBuilt(lab);
    const wrong = taskTable(kernel).tasks.flatMap((task) => {
      // CPU 0's idle task is a variable.
      if (task.address === kernel.tryAddress("init_task")) return [];
      const wanted = [
        [task.address, "task_struct"],
        [task.signal, "signal_cache"],
        ...(task.mm === 0n ? [] : [[task.mm, "mm_struct"] as const]),
      ] as const;
      return wanted.flatMap(([address, cache]) => {
        const found = Slabs.of(kernel)?.objectOf(address);
        return found?.cache === cache && found.offset === 0
          ? []
          : [`${task.comm}: ${address.toString(16)} ${found?.cache}+${found?.offset}`];
      });
    });
    expect(wrong).toEqual([]);
  });

  const peers = cachedPeers();
  test.skipIf(peers === undefined || drgnDump(lab) === undefined)("drgn has the same frames", async () =>
    checkDrgnPcs(peers as NonNullable<typeof peers>, await openBuilt(lab, drgnDump(lab)), lab),
  );
  test.runIf(namesSymbols)("the panic task's stack is the log's call trace", async () =>
    checkPanicStack(await openBuilt(lab), lab.consolePath),
  );
});
