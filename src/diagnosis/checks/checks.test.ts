import { expect, it } from "vitest";
import { decodePreemptCount } from "../../linux/preempt-count.ts";
import { plainPath } from "./argument.ts";
import { whyAtomic } from "./atomic-sleep.ts";
import { isTool } from "./blame.ts";
import { refcountKind } from "./refcount.ts";
import { tracksTold } from "./tracks.ts";
import { placeText, shortFile } from "./trap-case.ts";

it("knows which check of a reference count failed", () => {
  expect(refcountKind("refcount_t: saturated; leaking memory.")).toBe("overflow");
  expect(refcountKind("refcount_t: addition on 0; use-after-free.\n")).toBe("addition");
  expect(refcountKind("refcount_t: underflow; use-after-free.")).toBe("underflow");
  expect(refcountKind("refcount_t: decrement hit 0; leaking memory.")).toBe("leak");
  expect(refcountKind("list_add corruption")).toBeUndefined();
});

it("names a count by the member that is one", () => {
  expect(plainPath("users.refs.counter")).toBe("users");
  expect(plainPath("ref.refcount.refs.counter")).toBe("ref");
  expect(plainPath("kobj.kref.refcount.refs.counter")).toBe("kobj");
  expect(plainPath("usage.counter")).toBe("usage");
  expect(plainPath("next")).toBe("next");
});

it("says why a task must not sleep", () => {
  const why = (word: number) => whyAtomic(decodePreemptCount(word, true));
  expect(why(0x8000_0002)).toBe("preemption is disabled 2 deep");
  expect(why(0x0000_0100)).toBe("a softirq is being served");
  expect(why(0x0001_0202)).toBe("an interrupt is being served, bottom halves are disabled, preemption is disabled 2 deep");
  expect(why(0x8000_0000)).toBeUndefined();
});

it("passes over what works for anyone, and no function of a module", () => {
  for (const name of [
    "__slab_free",
    "kfree",
    "refcount_warn_saturate",
    "__list_add_valid_or_report",
    "set_freepointer",
    "cache_from_obj.cold",
  ])
    expect(isTool({ function: name, module: undefined }), name).toBe(true);
  expect(isTool({ function: "lab_put", module: undefined })).toBe(false);
  expect(isTool({ function: "kfree_rings", module: "lab" })).toBe(false);
  // What the compiler left out of line of a header.
  expect(isTool({ function: "__refcount_dec.constprop.0", module: "lab" })).toBe(true);
  expect(isTool({ function: "refcount_check_all", module: "lab" })).toBe(false);
});

it("takes who freed an object from the report, memory's word where both agree", () => {
  const frame = (name: string) => ({ function: name, offset: 0x10, module: "lab" });
  const memory = {
    allocated: { function: "lab_make", module: "lab", text: "allocated by lab_make+0x1 [lab], task 1, at 3.000 s" },
    freed: { function: "lab_other", module: "lab", text: "freed by lab_other+0x1 [lab], task 1, at 4.000 s" },
  };
  const traces = [
    { name: "Allocated", frames: [{ function: "kmalloc_trace" }, frame("lab_make")], pid: 1 },
    { name: "Freed", frames: [frame("lab_drop")], pid: 7 },
  ];
  expect(tracksTold({ traces }, memory)).toEqual({
    allocated: memory.allocated,
    freed: { function: "lab_drop", module: "lab", text: "freed by lab_drop+0x10 [lab], task 7" },
  });
  expect(tracksTold({ traces: [] }, memory)).toEqual(memory);
});

it("leaves out where a file was built", () => {
  expect(shortFile("/build/linux-6.1/mm/slub.c")).toBe("mm/slub.c");
  expect(shortFile("drivers/net/tun.c")).toBe("drivers/net/tun.c");
  expect(shortFile("/home/me/lab/lab_fault.c")).toBe("lab_fault.c");
  expect(placeText({ file: "mm/slub.c", line: 419 })).toBe("mm/slub.c:419");
  expect(placeText({ file: "mm/slub.c", line: 0 })).toBe("mm/slub.c");
  expect(placeText({ file: undefined, line: 3 })).toBeUndefined();
});
