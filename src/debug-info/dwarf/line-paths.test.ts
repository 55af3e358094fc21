import { expect, test } from "vitest";
import { baseName, endsWithPath, joinPath } from "./line-paths.ts";

test("paths are joined at the last absolute part, dots resolved", () => {
  expect(joinPath("/build/linux", "mm", "slub.c")).toBe("/build/linux/mm/slub.c");
  expect(joinPath("/build/linux", "/usr/include", "types.h")).toBe("/usr/include/types.h");
  expect(joinPath("/build/out", "../linux/./mm", "../kernel//fork.c")).toBe("/build/linux/kernel/fork.c");
  expect(joinPath("debian/build", "", "arch/x86/../arm/a.c")).toBe("debian/build/arch/arm/a.c");
  expect(joinPath("", "..", "../a.c")).toBe("../../a.c");
  expect(joinPath("/", "../../a.c")).toBe("/a.c");
});

test("a tail is counted in whole names", () => {
  expect(endsWithPath("/build/mm/slub.c", "mm/slub.c")).toBe(true);
  expect(endsWithPath("/build/mm/slub.c", "./slub.c")).toBe(true);
  expect(endsWithPath("/build/mm/slub.c", "/build/mm/slub.c")).toBe(true);
  expect(endsWithPath("slub.c", "slub.c")).toBe(true);
  expect(endsWithPath("/build/mm/slub.c", "lub.c")).toBe(false);
  expect(endsWithPath("/build/mm/slub.c", "")).toBe(false);
  expect(baseName("/build/mm/slub.c")).toBe("slub.c");
});
