/** Locks with their waiters, timers and work items against a module's word of what it left standing, on every cached case of "views". */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { numberField, numbersField, type ViewTruth } from "../../lab/views-truth.ts";
import { type Json, type JsonObject, objectsIn, openViews, type Views, viewCases, withAddress } from "../support/views.ts";

const pidOf = (entry: Json | undefined): Json | undefined => ((entry as JsonObject | undefined)?.task as JsonObject | undefined)?.pid;

describe.each(viewCases)("%s", (_id, lab) => {
  let views: Views;
  beforeAll(async () => {
    views = await openViews(lab);
  });
  afterAll(() => views.session.kernel.dump.close());

  /** The entry of `lock` whose state is at a lock's address. */
  const lockAt = (answer: JsonObject, lock: ViewTruth): JsonObject | undefined =>
    (answer.locks as readonly JsonObject[]).find((each) => withAddress(each.state as Json, lock.address, "address").length > 0);

  test("lock names owners and waiters of every sleeping lock, in the order of queueing", () => {
    const answer = views.ask("lock") as JsonObject;
    for (const lock of views.of("lock")) {
      const kind = lock.fields.get("kind");
      // Sleepers on a wait queue wait for no lock; the spinlock's waiter was started too late to have told of its pid.
      if (kind === "waitqueue" || kind === "spinlock") continue;
      const { waits, holders: held } = lockAt(answer, lock) ?? {};
      expect((waits as readonly Json[] | undefined)?.map(pidOf), lock.name).toEqual(numbersField(lock, "waiters"));
      const holders = (held as readonly Json[]).map(pidOf);
      // A semaphore and a completion have no owner; nor has a page. Of several readers not every one may be known.
      if (lock.fields.get("held") === "read") expect(numbersField(lock, "holders")).toEqual(expect.arrayContaining(holders as number[]));
      else expect(holders, lock.name).toEqual(numbersField(lock, "holders"));
    }
  });

  test("the circle of three is told", () => {
    const text = [...views.session.execute("lock").text({ radix: 10 })].join("\n");
    expect(text).toMatch(/^Deadlock: 3 tasks/m);
    for (const name of ["lv-cycle-0", "lv-cycle-1", "lv-cycle-2", "lv-chain-a", "lv-chain-b", "lv-chain-c"]) expect(text).toContain(name);
  });

  test("timer lists pending timers on their CPU, with their expiry and function", () => {
    const answer = views.ask("timer") as JsonObject;
    for (const timer of views.of("timer")) {
      const [found, ...more] = withAddress(answer, timer.address, "timer");
      expect(more, timer.name).toEqual([]);
      expect(found?.expires, timer.name).toBe(numberField(timer, "expires"));
      expect(found?.name).toContain(timer.fields.get("function"));
      const base = (answer.bases as readonly JsonObject[]).find((each) => withAddress(each, timer.address, "timer").length > 0);
      expect(base?.cpu, timer.name).toBe(numberField(timer, "cpu"));
      if (timer.fields.get("deferrable") === "1") expect(base?.name).toMatch(/DEF/);
    }
    for (const work of views.of("work").filter(({ fields }) => fields.get("state") === "delayed")) {
      const [found] = withAddress(answer, BigInt(`0x${work.fields.get("timer")}`), "timer");
      expect(found?.expires, work.name).toBe(numberField(work, "expires"));
    }
  });

  test("timer -r lists high-resolution timers by clock, to the nanosecond", () => {
    const answer = views.ask("timer -r") as JsonObject;
    const clocks = [...objectsIn(answer)].filter(({ clock, timers }) => clock !== undefined && Array.isArray(timers));
    for (const timer of views.of("hrtimer")) {
      const [clock] = clocks.filter((each) => withAddress(each.timers as Json, timer.address, "timer").length > 0);
      const [found] = withAddress(clock ?? null, timer.address, "timer");
      expect(String(found?.expires), timer.name).toBe(timer.fields.get("expires"));
      expect(found?.name).toContain(timer.fields.get("function"));
      const names: Record<string, RegExp> = { monotonic: /ktime_get$/, realtime: /real/, boottime: /boottime/ };
      expect(clock?.clock).toMatch(names[timer.fields.get("clock") ?? ""] ?? /never/);
    }
  });

  test("wq knows what runs and what waits, and on which queue", () => {
    const answer = views.ask("wq");
    for (const work of views.of("work")) {
      const state = work.fields.get("state");
      if (state === "delayed") continue;
      const found = withAddress(answer, work.address, "work", "address");
      expect(found.length, work.name).toBeGreaterThan(0);
      expect(JSON.stringify(found)).toContain(work.fields.get("function"));
      if (state === "running") expect(found[0]?.queue).toBe(work.fields.get("wq"));
    }
  });
});
