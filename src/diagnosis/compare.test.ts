import { describe, expect, it } from "vitest";
import { compareDiagnoses, likeness } from "./compare.ts";
import { signatureOf } from "./signature.ts";
import type { Diagnosis, Sharer, Verdict } from "./verdict.ts";

interface Given extends Partial<Verdict> {
  readonly callers?: readonly string[];
  readonly release?: string;
  readonly hardware?: string;
  readonly comm?: string;
  readonly sharers?: readonly Sharer[];
}

function diagnosis({ callers = ["lab_submit"], release, hardware, comm, sharers, ...given }: Given): Diagnosis {
  const verdict: Verdict = { class: "use-after-free", title: "", confidence: "high", function: "lab_take", ...given };
  const { object } = verdict;
  const member = object?.type === undefined || object.member === undefined ? undefined : `${object.type}.${object.member}`;
  const functions = [...(verdict.function === undefined ? [] : [verdict.function]), ...callers];
  return {
    verdict,
    subject: { event: "", ...(comm === undefined ? {} : { comm }) },
    story: [],
    evidence: [],
    alternatives: [],
    signature: signatureOf(verdict.class, functions, member),
    frames: functions.map((name) => ({ function: name })),
    ...(sharers === undefined ? {} : { sharers }),
    context: { notes: [], ...(release === undefined ? {} : { release }), ...(hardware === undefined ? {} : { hardware }) },
  };
}

const relation = (a: Given, b: Given) => compareDiagnoses(diagnosis(a), diagnosis(b)).relation;
const PEER = { object: { type: "struct lab_ring", member: "peer" } };
const sharer = (name: string): Sharer => ({
  pid: 7,
  comm: "reader",
  task: 1n,
  cpu: 1,
  running: true,
  function: name,
  object: 2n,
  cache: "UNIX",
  pointer: 2n,
});

describe("two dumps", () => {
  it("are one bug when the signature is one and both verdicts are sure", () => {
    expect(relation(PEER, PEER)).toBe("same");
    expect(relation(PEER, { ...PEER, confidence: "possible" })).toBe("likely the same");
  });

  it("are one bug by class, function and member, whoever called", () => {
    expect(relation(PEER, { ...PEER, callers: ["lab_poll"] })).toBe("same");
    expect(relation({}, { callers: ["lab_poll"] })).toBe("likely the same");
  });

  it("are not merged when the members differ", () => {
    expect(relation(PEER, { object: { type: "struct lab_port", member: "owner" } })).toBe("possibly related");
    expect(relation(PEER, { object: { type: "struct lab_ring", member: "owner" } })).toBe("likely the same");
  });

  it("are related when objects of one kind are damaged in two ways", () => {
    const other: Given = { class: "list-corruption", function: "lab_drain", object: { type: "struct lab_ring", member: "node.next" } };
    expect(relation(PEER, other)).toBe("possibly related");
    expect(relation(PEER, { ...other, class: "soft-lockup" })).toBe("different");
    expect(relation(PEER, { ...other, object: { type: "struct lab_port", member: "peer" } })).toBe("different");
  });

  it("are likely one bug when one function met different things in objects of one type", () => {
    const met: Given = { class: "null-pointer-dereference", object: { type: "struct lab_ring", member: "owner" } };
    expect(relation(PEER, met)).toBe("likely the same");
    expect(relation(PEER, { ...met, class: "soft-lockup" })).toBe("different");
    expect(relation(PEER, { ...met, object: { type: "struct lab_port", member: "owner" } })).toBe("different");
  });

  it("are likely one bug when one function, called from one place, met different things and no object is known in both", () => {
    const met: Given = { class: "list-corruption", object: { type: "struct lab_ring", member: "node.next" } };
    expect(relation({}, met)).toBe("likely the same");
    expect(relation({}, { ...met, callers: ["lab_poll"] })).toBe("different");
  });

  it("are not parted by a type in the one and a slab cache in the other", () => {
    const untyped: Given = { class: "list-corruption", object: { cache: "kmalloc-192" } };
    expect(relation({ object: { type: "struct lab_ring" } }, untyped)).toBe("likely the same");
    // Anything of that size lies in kmalloc-64; a cache of its own is a kind of object.
    expect(relation({ object: { cache: "kmalloc-64" } }, untyped)).toBe("likely the same");
    expect(relation({ object: { cache: "lab_widget" } }, { class: "list-corruption", object: { cache: "lab_ring" } })).toBe("different");
  });

  it("are likely one bug when what one compiler inlined is a call of the other, in one module", () => {
    const inlined: Given = { function: "lab_engine", callers: [], module: "lab" };
    const called: Given = { function: "lab_finish", callers: ["lab_engine"], module: "lab" };
    expect(relation(inlined, called)).toBe("likely the same");
    expect(relation(inlined, { ...called, module: "other" })).toBe("different");
    expect(relation(inlined, { ...called, class: "deadlock" })).toBe("different");
  });

  it("are likely one bug when one member is wrong in one function, however it showed", () => {
    expect(relation({ ...PEER, class: "self-deadlock" }, { ...PEER, class: "soft-lockup" })).toBe("likely the same");
  });

  it("are not called one where the place serves the whole kernel, or lies in another module", () => {
    const timer: Given = { function: "__run_timers", object: { type: "struct timer_list", member: "entry.next" }, callers: [] };
    expect(relation(timer, timer)).toBe("possibly related");
    expect(relation({ ...PEER, module: "a" }, { ...PEER, module: "a" })).toBe("same");
    const nowhere = { ...diagnosis({ class: "stack-corruption" }), frames: [], signature: signatureOf("stack-corruption", []) };
    expect(compareDiagnoses(nowhere, nowhere).relation).toBe("possibly related");
    expect(relation({ ...PEER, module: "a" }, { ...PEER, module: "b" })).toBe("possibly related");
  });

  it("stay undecided when one has no verdict, or both were asked for", () => {
    expect(relation(PEER, { class: "unknown", confidence: "unknown" })).toBe("undecided");
    expect(relation({ class: "deliberate" }, { class: "deliberate" })).toBe("undecided");
    expect(relation({ class: "hardware-error" }, { class: "hardware-error" })).toBe("possibly related");
  });

  it("tell together what neither tells alone", () => {
    const one = diagnosis({ ...PEER, release: "5.10.0", hardware: "A", comm: "rx", sharers: [sharer("__skb_queue_purge")] });
    const other = diagnosis({ ...PEER, release: "6.1.0", hardware: "B", comm: "rx", sharers: [sharer("__skb_queue_purge")] });
    const { together } = compareDiagnoses(one, other);
    expect(together).toEqual([
      "It happens on 5.10.0 and on 6.1.0: not on one release alone.",
      "The machines differ (A; B): a broken machine does not explain both.",
      "Both times it was a task called rx.",
      "Both times another CPU was in __skb_queue_purge with a pointer to the same object: a race between the two is likely.",
    ]);
    expect(compareDiagnoses(one, diagnosis({ class: "soft-lockup", function: "f", comm: "rx", release: "6.1.0" })).together).toEqual([]);
    const apart = diagnosis({ ...PEER, origin: "loaded from *(rbx + 0x8) at ffff888012345678" });
    const alike = diagnosis({ ...PEER, origin: "loaded from *(rbx + 0x8) at ffff888087654321" });
    expect(compareDiagnoses(apart, alike).together).toEqual(["Both times the bad value came the same way: loaded from *(rbx + 0x8) at …."]);
  });

  it("are ranked by how much agrees", () => {
    const first = diagnosis(PEER);
    const rank = (other: Given) => likeness(compareDiagnoses(first, diagnosis(other)));
    expect(rank(PEER)).toBeGreaterThan(rank({ ...PEER, confidence: "possible" }));
    expect(rank({ object: { type: "struct lab_ring", member: "owner" } })).toBeGreaterThan(rank({ class: "soft-lockup", function: "f" }));
  });
});
