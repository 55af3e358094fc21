import { expect, test } from "vitest";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import { symbolLabeller } from "./symbol-label.ts";

const BASE = 0xffffffff81000000n;
const label = symbolLabeller(
  smallKernel({
    symbols: {
      __per_cpu_start: [0n, "D"],
      per_cpu_thing: [0x4000n, "D"],
      __per_cpu_end: [0x8000n, "A"],
      _stext: [BASE, "T"],
      __start_rodata: [BASE + 0x10_0000n, "D"],
      table: [BASE + 0x10_0100n, "d"],
      __end_rodata: [BASE + 0x20_0000n, "D"],
      counter: [BASE + 0x20_0000n + 8n, "b"],
      big: [BASE + 0x20_0000n + 16n, "B"],
      _end: [BASE + 0x40_0000n, "B"],
      mod_func: [BASE + 0x100_0000n, "t", "loop"],
      mod_end: [BASE + 0x100_1000n, "t", "loop"],
    },
  }),
);

test.each([
  [BASE + 0x20_0008n, { name: "counter", offset: 0 }],
  [BASE + 0x20_000cn, { name: "counter", offset: 4 }],
  [BASE + 0x30_0010n, { name: "big", offset: 0x10_0000 }],
  [BASE + 0x100_0004n, { name: "mod_func", offset: 4, module: "loop" }],
  // Behind the image, below the kernel half, per-CPU offsets: a number, not a name.
  [BASE + 0x40_0010n, undefined],
  [0x4000n, undefined],
  [0x7fff_0000_0000n, undefined],
])("%s", (address, expected) => {
  expect(label(address, false)).toEqual(expected);
});

test("string literals behind the last read-only object do not get its name", () => {
  expect(label(BASE + 0x10_0110n, false)).toEqual({ name: "table", offset: 16 });
  expect(label(BASE + 0x10_0110n, true)).toBeUndefined();
  expect(label(BASE + 0x10_0100n, true)).toEqual({ name: "table", offset: 0 });
  expect(label(BASE + 0x10_0100n + 4096n, false)).toBeUndefined();
});
