import { expect, test } from "vitest";
import { add, virtual } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { EM_X86_64 } from "../debug-info/elf.ts";
import { smallKernel } from "./testing/small-kernel.ts";
import type { OpenedVmlinux } from "./vmlinux-file.ts";
import { kernelOfVmlinux } from "./vmlinux-kernel.ts";

const TEXT = 0xffffffff81000000n;
/** One segment of 4112 bytes: a page and the start of the next. */
const BYTES = Uint8Array.from({ length: 4112 }, (_, at) => at & 0xff);

function vmlinux(symbols = true): OpenedVmlinux {
  return {
    path: "vmlinux",
    machine: EM_X86_64,
    buildId: undefined,
    hasDebugInfo: false,
    lack: undefined,
    notes: [],
    banner: undefined,
    symbols: symbols ? smallKernel({ symbols: { _text: [TEXT, "T"], widget_poll: [TEXT + 0x40n, "t"] } }).symbols : undefined,
    describe: () => undefined,
    section: () => undefined,
    bytesAt: (address, length) => {
      const at = Number(address - TEXT);
      return at < 0 || at + length > BYTES.length ? undefined : BYTES.slice(at, at + length);
    },
    close: () => undefined,
  };
}

test("its code reads as in a dump, over the end of a page, and not where the file has none", () => {
  const kernel = kernelOfVmlinux(vmlinux());
  expect(kernel.arch.name).toBe("x86_64");
  expect(kernel.memory.u32(virtual(TEXT + 0x10n))).toBe(0x13121110);
  expect([...kernel.memory.bytes(virtual(TEXT + 4094n), 4)]).toEqual([0xfe, 0xff, 0, 1]);
  expect(kernel.memory.tryBytes(virtual(TEXT + 0x10000n), 4)).toBeUndefined();
  expect(kernel.symbols.byAddress(add(virtual(TEXT), 0x42))).toMatchObject({ symbol: { name: "widget_poll" }, offset: 2 });
  expect(kernel.modules).toEqual([]);
  expect(kernel.debugInfo.present).toBe(false);
});

test("a stripped file is refused with the reason", () => {
  expect(() => kernelOfVmlinux(vmlinux(false))).toThrow(UnsupportedError);
});
