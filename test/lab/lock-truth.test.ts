/**
 * Deadlocks that the lab's module made (lab/modules/lab_hang.c), on every cached case of `hung`, `rwsem` and `spin`: who waits for whom is
 * known from the module's source, and what the kernel's own hung-task report said of it from the console.
 */
import { describe, expect, test } from "vitest";
import { cachedCases, dumpNamed, isRealTime } from "../../lab/case-record.ts";
import { stackReader } from "../../src/identity/stack-reader.ts";
import { openKernel } from "../../src/kernel/open.ts";
import type { LockReport } from "../../src/linux/locking/lock.ts";
import { lockReport } from "../../src/linux/locking/lock-report.ts";

const cases = cachedCases().filter(({ scenario, id }) => ["hung", "rwsem", "spin"].includes(scenario) && !/plain/.test(id));

async function report(lab: (typeof cases)[number]): Promise<LockReport> {
  const [dump] = lab.dumps;
  const kernel = await openKernel([...dumpNamed(lab, dump?.name ?? "elf").files]);
  try {
    return lockReport(kernel, stackReader(kernel));
  } finally {
    kernel.dump.close();
  }
}

describe.each(cases.map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  test("is told as the module made it", async () => {
    const { locks, cycles, unknown } = await report(lab);
    expect(unknown).toEqual([]);
    const named = locks.filter(({ waits }) => waits.some(({ task }) => task.comm.startsWith("lab-")));
    const graph = named.map(({ state, waits, holders }) => ({
      kind: state.kind,
      owner: holders.map(({ task }) => task.comm),
      sure: holders.map(({ certainty }) => certainty),
      waits: waits.map(({ task }) => task.comm).sort(),
      verified: waits.every(({ verified }) => verified),
    }));
    const cycle = cycles.map(({ waits, certainty, behind }) => ({
      tasks: waits.map(({ task }) => task.comm).sort(),
      certainty,
      behind: behind.map(({ comm }) => comm),
    }));
    const realTime = isRealTime(lab);
    if (lab.scenario === "hung") {
      const kind = realTime ? "rt_mutex" : "mutex";
      expect(graph).toEqual(
        expect.arrayContaining([
          {
            kind,
            owner: ["lab-ab"],
            sure: ["exact"],
            waits: ["lab-ba", "lab-wait/0", "lab-wait/1", "lab-wait/2"],
            verified: true,
          },
          { kind, owner: ["lab-ba"], sure: ["exact"], waits: ["lab-ab"], verified: true },
        ]),
      );
      expect(graph).toHaveLength(2);
      expect(cycle).toEqual([{ tasks: ["lab-ab", "lab-ba"], certainty: "exact", behind: ["lab-wait/0", "lab-wait/1", "lab-wait/2"] }]);
    } else if (lab.scenario === "rwsem") {
      const held = realTime ? { owner: [], sure: [] } : { owner: ["lab-reader"], sure: ["likely"] };
      expect(graph).toEqual([{ kind: "rwsem", ...held, waits: ["lab-writer"], verified: true }]);
      expect(cycle).toEqual([]);
    } else {
      const kind = realTime ? "rt_mutex" : "spinlock";
      expect(graph.map(({ kind, owner, waits }) => [kind, owner, waits]).sort()).toEqual([
        [kind, ["lab-spin-ab"], ["lab-spin-ba"]],
        [kind, ["lab-spin-ba"], ["lab-spin-ab"]],
      ]);
      // Behind a reader of RCU that is blocked its booster waits, by a rt_mutex too (rcu_boost()).
      const certainty = realTime ? { certainty: "exact", behind: expect.any(Array) } : { certainty: "likely", behind: [] };
      expect(cycle).toEqual([{ tasks: ["lab-spin-ab", "lab-spin-ba"], ...certainty }]);
    }
  });
});
