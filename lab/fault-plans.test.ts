import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { allCases, selectCases } from "./cases.ts";
import { faultPlans } from "./fault-plans.ts";
import { labelOn, moduleOf, plantedFaults } from "./faults/planted-fault.ts";
import { labSource } from "./paths.ts";

const ids = (...patterns: string[]) => selectCases({ ids: patterns }).map((plan) => plan.id);

test("every fault has its module, its own name, and a label on each kernel", () => {
  const faults = plantedFaults();
  const plans = faultPlans();
  expect(faults.length).toBeGreaterThanOrEqual(40);
  expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
  for (const fault of faults) {
    expect(fault.source !== undefined || existsSync(labSource("faults", fault.name, `${fault.name}.c`)), fault.name).toBe(true);
    expect(fault.label.root.length, fault.name).toBeGreaterThan(20);
    expect(fault.label.class.length, fault.name).toBeGreaterThan(0);
    const several = fault.label.class.length + (fault.label.function.length > 1 ? 1 : 0);
    if (several > 2) expect(fault.label.why, fault.name).toBeDefined();
    for (const { kernel } of plans.filter((plan) => plan.fault?.name === fault.name)) {
      expect(Array.isArray(labelOn(fault, kernel.id).function), `${fault.name} on ${kernel.id}`).toBe(true);
    }
  }
});

test("a pattern takes the six kernels; sid and other counts of CPUs only when it names them", () => {
  expect(ids("*-fault-vtap")).toEqual([
    "5.10-amd64-fault-vtap",
    "5.10-arm64-fault-vtap",
    "6.1-amd64-fault-vtap",
    "6.1-arm64-fault-vtap",
    "6.12-amd64-fault-vtap",
    "6.12-arm64-fault-vtap",
  ]);
  expect(ids("sid-*-fault-vtap")).toEqual(["sid-amd64-fault-vtap", "sid-arm64-fault-vtap"]);
  expect(ids("6.1-*-fault-vtap-smp4")).toEqual(["6.1-amd64-fault-vtap-smp4", "6.1-arm64-fault-vtap-smp4"]);
  expect(ids("6.1-amd64-fault-*").every((id) => !id.includes("smp"))).toBe(true);
  expect(ids("*-fault-sampler").every((id) => id.includes("amd64"))).toBe(true);
});

test("faults of the kernel's own crash tests share a module and what they have in common", () => {
  const family = plantedFaults().filter(({ name }) => name.startsWith("lkdtm-"));
  expect(family.length).toBeGreaterThan(50);
  for (const fault of family) {
    expect(moduleOf(fault)).toBe("lkdtm");
    expect(fault).toMatchObject({ source: { path: "drivers/misc/lkdtm" }, before: expect.stringContaining("debugfs") });
  }
  expect(faultPlans().find(({ id }) => id === "6.1-arm64-fault-lkdtm-bug")?.scenario.modules).toEqual(["lkdtm"]);
});

test("a dozen of them are in the matrix, each kernel twice", () => {
  const matrix = selectCases({}).filter((plan) => plan.fault !== undefined);
  expect(matrix).toHaveLength(12);
  for (const kernel of new Set(matrix.map((plan) => plan.kernel.id))) {
    expect(matrix.filter((plan) => plan.kernel.id === kernel)).toHaveLength(2);
  }
});

test("no two cases have one id", () => {
  const all = allCases().map((plan) => plan.id);
  expect(new Set(all).size).toBe(all.length);
});
