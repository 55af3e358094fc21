import { expect, test } from "vitest";
import type { DiagnosisContext } from "../context.ts";
import { metByFault } from "./met-by-fault.ts";

/** A fault with these functions on the stack, innermost first. */
function context(functions: readonly string[], guiltyLevel: number, text = "BUG: unable to handle page fault"): DiagnosisContext {
  const fault = { guiltyLevel, activations: { at: (level: number) => ({ function: functions[level] }) } };
  return { kernel: {}, subject: { event: { text } }, fault: () => fault } as unknown as DiagnosisContext;
}

test("a fault in the allocator met the list", () => {
  expect(metByFault(context(["kmem_cache_alloc_noprof", "block_get"], 1), "cached_block")).toBe(true);
  expect(metByFault(context(["___slab_alloc", "__kmalloc", "conn_open"], 2), "kmalloc-64")).toBe(true);
});

test("what the guilty function's callers do is nothing of it", () => {
  expect(metByFault(context(["tun_get_drvinfo", "kmem_cache_alloc"], 0), "cached_block")).toBe(false);
  expect(metByFault(context(["memcpy", "rom_read"], 1), "kmalloc-64")).toBe(false);
});

test("a report that names the cache is of it", () => {
  expect(metByFault(context(["slab_err"], 0, "BUG crypt_request (Tainted: G OE): Slab has 0 allocated objects"), "crypt_request")).toBe(
    true,
  );
  expect(metByFault(context(["crypt_run"], 0, "BUG kmalloc-64: Poison overwritten"), "crypt_request")).toBe(false);
});

test("without a fault and a task nothing was met", () => {
  const nothing = { kernel: {}, subject: { event: undefined, task: undefined }, fault: () => ({ reason: "nothing faulted" }) };
  expect(metByFault(nothing as unknown as DiagnosisContext, "kmalloc-64")).toBe(false);
});
