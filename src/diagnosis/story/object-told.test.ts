import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import type { Verdict } from "../verdict.ts";
import { objectTold, sourceTold } from "./object-told.ts";

const kernel = smallKernel({});
Object.assign(kernel.arch, { isKernelAddress: (address: bigint) => address >= 1n << 63n });
const verdict = (address: bigint) => ({ object: { type: "struct thing", address, cache: "thing_cache" } }) as unknown as Verdict;
const fault = {
  kernel,
  bad: {
    origin: { steps: [{ load: { base: 0xffff_8000_0000_1000n, container: "struct box", member: "thing", size: 8, comparison: "same" } }] },
  },
} as unknown as FaultCase;

test("of an object at no address nothing is looked up", () => {
  expect(objectTold(kernel, verdict(0n), "")).toEqual({ lines: [] });
  expect(objectTold(kernel, {} as Verdict, "")).toEqual({ lines: [] });
});

test("where memory cannot tell, nothing is said of owners or of merged caches", () => {
  expect(objectTold(kernel, verdict(virtual(0xffff_8000_0000_1000n)), "").lines).toEqual([]);
});

test("the source is told only where the object itself is nowhere", () => {
  expect(sourceTold(fault, verdict(0xffff_8000_0000_2000n))).toEqual([]);
  expect(sourceTold(undefined, verdict(0n))).toEqual([]);
});
