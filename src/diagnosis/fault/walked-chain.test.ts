import { expect, it } from "vitest";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import type { Origin } from "../../type-flow/origin.ts";
import type { BadValue, Parts } from "./fault-case.ts";
import { withWalk } from "./walked-chain.ts";

const FIRST = 0xffff_8880_0000_1000n;
const SECOND = 0xffff_8880_0000_2000n;
const LINK = 0x18n;
const TEXT = 0x630a_7365_7479_6220n;
const LOAD = { kind: "load", pc: 0x10n, offset: LINK, from: { kind: "unknown", pc: 0n } } as unknown as Origin;
const ENTRY: Origin = { kind: "entry", register: "rdi" };

/** The loop `rdi = rdi->next`, which began with FIRST; what the last entry's link holds is the bad value. */
function walked(value: bigint, { start = FIRST, register = 0n, added = 0n } = {}) {
  const memory = new SparseMemory().put(FIRST + LINK, SECOND - added).put(SECOND + LINK, value);
  const registers = new Map([["rbx", register]]);
  const origin: Origin = { kind: "merge", pc: 0n, of: [ENTRY, LOAD] };
  const activation = { pc: 0x20n, flow: { originOf: () => origin }, registers };
  const parts = {
    kernel: smallKernel({ memory }),
    activations: { at: () => activation },
    values: { of: (_: number, way: Origin) => (way === ENTRY && start !== 0n ? { value: start } : undefined) },
  } as unknown as Parts;
  const load = {
    kind: "load",
    level: 0,
    function: "f",
    place: "f+1",
    value,
    text: "loaded",
    load: { size: 8, comparison: "address unknown" },
  };
  const sum = { kind: "sum", level: 0, function: "f", place: "f+2", value: value + added, text: "sum" };
  const steps = added === 0n ? [load] : [sum, load];
  const bad = { value: value + added, register: "rdi", level: 0, origin: { value, steps, end: "load" } } as unknown as BadValue;
  return withWalk(parts, bad).origin?.steps.at(-1)?.load;
}

it("finds the entry whose link holds the value, from where the loop began", () => {
  expect(walked(TEXT)).toMatchObject({ base: SECOND, address: SECOND + LINK, now: TEXT, comparison: "same" });
});

it("follows links that lead into entries, and begins with a register too", () => {
  expect(walked(TEXT, { added: -8n })).toMatchObject({ base: SECOND });
  expect(walked(TEXT, { start: 0n, register: SECOND })).toMatchObject({ base: SECOND });
});

it("proves nothing by NULL and by small numbers, nor where the chain does not come upon the value", () => {
  expect(walked(0n)?.comparison).toBe("address unknown");
  expect(walked(0x40n)?.comparison).toBe("address unknown");
  expect(walked(TEXT, { start: 0n })?.comparison).toBe("address unknown");
});
