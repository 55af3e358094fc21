import { expect, test } from "vitest";
import { namesOf } from "./signature.ts";

const frames = (...names: string[]) => names.map((name) => ({ function: name }));

test("the same on kernels whose doors and compilers differ", () => {
  const one = frames("f.constprop.0", "g.isra.0", "proc_reg_write", "vfs_write", "ksys_write", "do_syscall_64");
  const other = frames("f", "g", "proc_reg_write", "vfs_write", "ksys_write", "__arm64_sys_write", "invoke_syscall");
  expect(namesOf(one, "f")).toEqual(["f", "g"]);
  expect(namesOf(other, "f")).toEqual(["f", "g"]);
  expect(namesOf(frames("f", "tasklet_action_common.constprop.0", "__do_softirq"), "f")).toEqual(["f"]);
});

test("a recursion is named once, whatever its depth", () => {
  expect(namesOf(frames("f", "f", "f", "g"), "f")).toEqual(["f", "g"]);
});

test("what serves the whole kernel is named with the kind of object that it met", () => {
  expect(namesOf(frames("__run_timers", "run_timer_softirq"), "__run_timers", "kmalloc-128")).toEqual(["__run_timers", "kmalloc-128"]);
});

test("a function that is not on the stack has no callers there", () => {
  expect(namesOf(frames("fw_append", "fw_write"), "fw_drop")).toEqual(["fw_drop"]);
  expect(namesOf(frames("f", "g"), undefined)).toEqual(["f", "g"]);
});

test("an address that has no name is none", () => {
  expect(namesOf(frames("0x412b412a41294128", "f"), "0x412b412a41294128")).toEqual(["f"]);
  expect(namesOf([], "0x412b412a41294128")).toEqual([]);
});

test("damage that nothing met is named by the cache it lies in, where that says anything", () => {
  expect(namesOf([], undefined, "extent_pool")).toEqual(["extent_pool"]);
  expect(namesOf([], undefined, "kmalloc-64")).toEqual([]);
});
