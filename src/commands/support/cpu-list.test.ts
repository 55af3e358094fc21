import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCpuList, splitCpuSuffix } from "./cpu-list.ts";

describe("lists of CPUs", () => {
  it("reads single CPUs, ranges and all", () => {
    const cpus = [0, 1, 2, 3, 6];
    expect(parseCpuList("1", cpus)).toEqual([1]);
    expect(parseCpuList("3,0-1", cpus)).toEqual([3, 0, 1]);
    expect(parseCpuList("2-6", cpus)).toEqual([2, 3, 6]);
    expect(parseCpuList("1,1,0-2", cpus)).toEqual([1, 0, 2]);
    for (const all of ["a", "all", ""]) expect(parseCpuList(all, cpus)).toEqual(cpus);
  });

  it("refuses what does not exist", () => {
    expect(() => parseCpuList("4", [0, 1])).toThrow("CPU 4 does not exist (CPUs 0-1 do)");
    expect(() => parseCpuList("4-9", [0, 1])).toThrow("no CPU of 4-9 exists");
    expect(() => parseCpuList("2-1", [0, 1, 2])).toThrow("1 is below 2");
    expect(() => parseCpuList("x", [0])).toThrow("is no list of CPUs");
    expect(() => parseCpuList("1", [0])).toThrow("only CPU 0 does");
  });

  it("chooses only what exists, each once", () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(40), fc.uniqueArray(fc.nat(40), { minLength: 1 }), (a, b, existing) => {
        const possible = existing.sort((x, y) => x - y);
        const [low, high] = a < b ? [a, b] : [b, a];
        const wanted = possible.filter((cpu) => cpu >= low && cpu <= high);
        fc.pre(wanted.length > 0 && low !== high);
        expect(parseCpuList(`${low}-${high}`, possible)).toEqual(wanted);
      }),
    );
  });

  it("splits the suffix of a per-CPU symbol", () => {
    expect(splitCpuSuffix("runqueues:0,2-3")).toEqual({ name: "runqueues", cpus: "0,2-3" });
    expect(splitCpuSuffix("runqueues:a")).toEqual({ name: "runqueues", cpus: "a" });
    expect(splitCpuSuffix("runqueues:")).toEqual({ name: "runqueues", cpus: "" });
    expect(splitCpuSuffix("runqueues")).toEqual({ name: "runqueues", cpus: undefined });
    expect(splitCpuSuffix("core::fmt:x")).toEqual({ name: "core::fmt:x", cpus: undefined });
  });
});
