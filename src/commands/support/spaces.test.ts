import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FaultError } from "../../bytes/errors.ts";
import { MemorySource } from "../../bytes/memory-source.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import { explained, explainFault, fileSpace, physicalSpace } from "./spaces.ts";

const excluded = new FaultError(0x1000n, "virtual", "excluded");

test("an excluded page names what the dump level drops", () => {
  const text = (level: number | undefined) => {
    const kernel = { dump: { dumpLevel: level } } as unknown as Kernel;
    return (explainFault(kernel, excluded) as Error).message;
  };
  expect(text(31)).toMatch(/left out of the dump \(dump level 31 drops zero, cache, private cache, user and free pages\)$/);
  expect(text(1)).toMatch(/\(dump level 1 drops zero pages\)$/);
  expect(text(0)).toMatch(/left out of the dump$/);
  expect(text(undefined)).toMatch(/left out of the dump$/);
});

test("other errors pass", () => {
  const kernel = smallKernel({ dumpLevel: 31 });
  const unmapped = new FaultError(0n, "virtual", "unmapped");
  expect(explainFault(kernel, unmapped)).toBe(unmapped);
  expect(explained(kernel, () => 5)).toBe(5);
  expect(() =>
    explained(kernel, () => {
      throw excluded;
    }),
  ).toThrow("dump level 31");
});

test("the dump file as memory: offsets are addresses, and it ends where the file ends", () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);
  const space = fileSpace({ dump: { file: new MemorySource("vmcore", bytes), format: "ELF core" } } as unknown as Kernel);
  expect([space.u8(virtual(4097n)), space.u16(virtual(4095n)), space.u8(virtual(4999n))]).toEqual([1, 0x00ff, 4999 & 0xff]);
  expect(() => space.u8(virtual(8192n))).toThrow("the dump file ends before its page");
  expect(() => fileSpace({ dump: { format: "KDUMP compressed, version 6" } } as unknown as Kernel)).toThrow("KDUMP compressed, version 6");
});

test("physical addresses are taken as they are", () => {
  const physical = {
    pageSize: 4096,
    pageShift: 12,
    view: new DataView(new ArrayBuffer(4096)),
    page: (pfn: number) => (pfn === 5 ? 0 : { reason: "absent" }),
  };
  const space = physicalSpace({ physical } as unknown as Kernel);
  expect(space.u64(virtual(0x5000n))).toBe(0n);
  expect(() => space.u64(virtual(0x6000n))).toThrow("no memory at that address");
});
