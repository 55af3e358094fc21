/**
 * `kmem -i -z -V -v -f` and `swap` against what the guest said of its memory, on every cached case: all kernels, both machines, packaged
 * ones by their dump alone, those that the lab built with their vmlinux.
 */
import { afterAll, describe, expect, test } from "vitest";
import { builtCases, cachedCases } from "../../lab/case-record.ts";
import { truthOf } from "../../lab/truth.ts";
import type { Session } from "../../src/commands/command.ts";
import { createSession } from "../../src/commands/session.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openBuilt } from "../support/built-kernel.ts";
import { checkAreas, checkEvents, checkFreeLists, checkSwaps, checkUsage, checkZones } from "../support/guest-memory.ts";

const built = new Map(builtCases().map((lab) => [lab.id, lab]));
const cases = [...cachedCases(), ...built.values()];
const sums = { zones: 0, freePages: 0, events: 0, areas: 0, swaps: 0 };

afterAll(() => {
  console.log(
    `as the guests said: ${sums.zones} zones, ${sums.areas} vmalloc areas, ${sums.events} event counters, ${sums.swaps} swap areas; ${sums.freePages} free pages are those counted`,
  );
});

describe.each(cases.map((lab) => [lab.id, lab] as const))("%s", (id, lab) => {
  const truth = truthOf(lab);
  // The kernel's own memory is in every dump, whatever pages it leaves out; page structures too.
  const dump = lab.dumps.find(({ name }) => name === "elf") ?? lab.dumps.find(({ format }) => format !== "raw");

  test.skipIf(dump === undefined || truth.files.read("proc/zoneinfo") === undefined)("memory is as the guest said", async () => {
    const own = built.get(id);
    const kernel = own === undefined ? await openKernel(dump?.files ?? []) : await openBuilt(own, dump);
    try {
      if (!kernel.types.present) return;
      check(createSession(kernel));
    } finally {
      kernel.dump.close();
    }
  });

  function check(session: Session): void {
    const { kernel } = session;
    sums.zones += checkZones(session, truth);
    sums.freePages += checkFreeLists(session);
    const unknown = checkUsage(session, truth, lab.scenario === "leak");
    // Without variables among the symbols only exported ones can be read.
    const listsVariables = kernel.tryAddress("vm_committed_as") !== undefined;
    if (listsVariables) expect(unknown).toEqual([]);
    else expect(unknown).toEqual(expect.arrayContaining(["commitLimit", "committed"]));
    if (kernel.tryAddress("vm_event_states") !== undefined) {
      const events = checkEvents(session, truth);
      expect(events).toBeGreaterThan(40);
      sums.events += events;
    }
    sums.areas += checkAreas(session, truth);
    if (listsVariables) sums.swaps += checkSwaps(session, truth);
  }
});
