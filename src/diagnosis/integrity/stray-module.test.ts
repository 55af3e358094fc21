import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { openDump } from "../../dump/open.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { openKernelOf } from "../../kernel/open.ts";
import { isStrayModule } from "./stray-module.ts";

const sample = async (): Promise<Kernel> => openKernelOf(await openDump(["samples/x86-64-null-pointer/vmcore"]));

test("what a listed module, the image and a hole hold is of no stray module", async () => {
  const kernel = await sample();
  expect(isStrayModule(kernel, kernel.modules[0]?.base ?? virtual(0n))).toBe(false);
  expect(isStrayModule(kernel, kernel.address("init_task"))).toBe(false);
  expect(isStrayModule(kernel, virtual(0xffff_ffff_fe00_0000n))).toBe(false);
});

test("the code of a module that is not listed", async () => {
  const kernel = await sample();
  const base = kernel.modules[0]?.base ?? virtual(0n);
  Object.defineProperty(kernel, "modules", { value: [] });
  expect(isStrayModule(kernel, base)).toBe(true);
});
