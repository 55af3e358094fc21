import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import type { ContendedLock, LockOwner, LockTask } from "../../linux/locking/lock.ts";
import { confidenceOf, type Finding } from "../finding.ts";
import { circleChecks } from "./circle-finding.ts";
import type { HangEdge } from "./edges.ts";
import type { Standstill } from "./standstill.ts";
import { stoppedCpus } from "./stopped-cpu.ts";
import { edge, lockTaskNamed } from "./testing/made.ts";

const [a, b] = [lockTaskNamed("a", 1), lockTaskNamed("b", 2)];

function lockOf(
  owner: LockTask,
  parts: { readonly kind?: string; readonly readers?: number; readonly certainty?: LockOwner["certainty"] } = {},
): ContendedLock {
  const { kind = "mutex", readers, certainty = "exact" } = parts;
  const holder = { task: owner, mode: "owner", certainty, evidence: "" };
  return { state: { kind, address: virtual(8n), readers, held: "held" }, waits: [], holders: [holder] } as unknown as ContendedLock;
}

/** A standstill in which every task waits verified, or as `wait` says. */
function still(wait: object = {}, active = false, noTick?: number, named: bigint | undefined = a.address): Standstill {
  return {
    task: () => ({ active }),
    waitOf: () => ({ verified: true, through: "__mutex_lock", ...wait }),
    stack: () => undefined,
    mentions: (task: bigint) => task === named,
    kernel: {
      memo: (key: object, make: () => unknown) => (key !== stoppedCpus ? make() : noTick === undefined ? [] : [{ task: a, noTick }]),
    },
  } as unknown as Standstill;
}

const sure = (edges: readonly HangEdge[], world = still()) => confidenceOf({ checks: circleChecks(world, edges) } as unknown as Finding);
const circle = [edge(a, b, { lock: lockOf(b) }), edge(b, a, { lock: lockOf(a) })];

describe("a circle is as sure as what was checked", () => {
  test("linked waiters and owners by the locks' own words: high", () => {
    expect(sure(circle)).toBe("high");
  });

  test("a wait that is not recorded in its lock: likely", () => {
    expect(sure(circle, still({ verified: false }))).toBe("likely");
  });

  test("a holder that is taken from a stack: likely, unless it is the only reader there is", () => {
    const [first, second] = circle as [HangEdge, HangEdge];
    expect(sure([first, { ...second, lock: lockOf(a, { certainty: "likely" }) }])).toBe("likely");
    const reader = lockOf(a, { kind: "rwsem", readers: 1, certainty: "likely" });
    expect(sure([first, { ...second, lock: reader }])).toBe("high");
    expect(sure([first, { ...second, lock: reader }], still({}, false, undefined, 0n))).toBe("likely");
    expect(sure([first, { ...second, lock: lockOf(a, { kind: "rwsem", readers: 2, certainty: "likely" }) }])).toBe("likely");
    expect(sure([first, { ...second, lock: { ...reader, holders: [...reader.holders, ...lockOf(b).holders] } }])).toBe("likely");
  });

  test("a spinlock's holder must run, and its code have taken the lock or a CPU stand still over it", () => {
    const [first, second] = circle as [HangEdge, HangEdge];
    const spins = [first, { ...second, lock: lockOf(a, { kind: "spinlock", certainty: "likely" }) }];
    expect(sure(spins, still({}, true, 3))).toBe("high");
    expect(sure(spins, still({}, true))).toBe("likely");
    expect(sure(spins)).toBe("likely");
  });

  test("an unsure holder over a short wait is contention: possible", () => {
    const short = circle.map((each) => ({ ...each, seconds: 2 }));
    expect(sure(short)).toBe("high");
    expect(sure([short[0] as HangEdge, { ...(short[1] as HangEdge), lock: lockOf(a, { certainty: "likely" }) }])).toBe("possible");
  });

  test("a mutex that is handed over to its waiter is no circle of one", () => {
    const lock = lockOf(a);
    expect(sure([edge(a, a, { lock: { ...lock, state: { ...lock.state, flags: [] } } })])).toBe("high");
    expect(sure([edge(a, a, { lock: { ...lock, state: { ...lock.state, flags: ["pickup"] } } })])).toBe("likely");
  });

  test("a member that can run refutes it", () => {
    const running = edge({ ...a, state: "RU" }, b, { lock: lockOf(b) });
    expect(sure([running, circle[1] as HangEdge])).toBe("unknown");
  });

  test("a wait that gives up after a time may yet end it", () => {
    expect(sure(circle, still({ through: "wait_for_completion_timeout" }))).toBe("likely");
  });
});
