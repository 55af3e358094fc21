import { expect, test } from "vitest";
import { alternativesOf } from "./alternatives.ts";
import type { LogReport } from "./report.ts";

const report = (given: Partial<LogReport>): LogReport =>
  ({ family: "oops", fields: {}, traces: [], modules: [], ...given }) as unknown as LogReport;
const classes = (given: Partial<LogReport>, verdict: Parameters<typeof alternativesOf>[1]): string[] =>
  alternativesOf(report(given), verdict).map((each) => each.class);

test("a wild pointer may be many things, and what speaks against each is said", () => {
  const all = alternativesOf(report({ faultAddress: 0x400080040n }), "wild-pointer");
  expect(all.map((each) => each.class)).toEqual(["use-after-free", "overwritten-pointer", "type-confusion"]);
  expect(all[0]?.refutedBy).toMatch(/no poison/);
  expect(all.every(({ confidence }) => confidence === "possible")).toBe(true);
});

test("printable bytes point to text that was written over it", () => {
  const [, overwritten] = alternativesOf(report({ faultAddress: 0x6575716572207265n }), "wild-pointer");
  expect(overwritten?.title).toMatch(/printable/);
});

test("list poison may be an entry unlinked twice; what KASAN saw is certain", () => {
  expect(classes({ faultAddress: 0xdead000000000108n }, "use-after-free")).toEqual(["list-corruption"]);
  expect(classes({ family: "kasan", faultAddress: 0xffff888012345678n }, "use-after-free")).toEqual([]);
});

test("a hung task may be one of a circle, or wait for a sleeper that is named", () => {
  expect(classes({ family: "hung-task", fields: { owner: "writer" } }, "hung-task")).toEqual(["deadlock", "lock-held-by-sleeper"]);
  expect(classes({ family: "warning" }, "warning-panic")).toEqual([]);
});

test("an allocator that meets a bad address was asked for memory only: its list was written over", () => {
  const met = { family: "oops", faultAddress: 0x7406000n, pc: { function: "__kmalloc_track_caller" } } as const;
  expect(classes(met, "wild-pointer")).toEqual(["freelist-corruption", "out-of-bounds", "double-free"]);
  // Near zero, and where the caller names the cache, the caller may be wrong.
  expect(classes({ ...met, faultAddress: 0x18n }, "wild-pointer")[0]).toBe("use-after-free");
  expect(classes({ ...met, pc: { function: "kmem_cache_alloc" } }, "wild-pointer")[0]).toBe("use-after-free");
});
