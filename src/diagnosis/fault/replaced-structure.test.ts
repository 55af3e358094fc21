import { expect, it } from "vitest";
import { functionType, pointerTo, SparseMemory, smallKernel, struct, ULONG, VOID } from "../../kernel/testing/small-kernel.ts";
import type { FaultCase } from "./fault-case.ts";
import { replacedStructure, replacedText } from "./replaced-structure.ts";

const TIMER = 0xffff_8880_0000_1000n;
const CODE = 0xffff_ffff_8100_0000n;
const node = struct("hlist_node", [["next", pointerTo(VOID)]]);
const timer = struct("timer_list", [
  ["entry", node],
  ["expires", ULONG],
  ["function", pointerTo(functionType(VOID))],
]);

function found(word: bigint, load: object = {}) {
  const memory = new SparseMemory().put(TIMER, 0x20_0005_0020_0004n).put(TIMER + 16n, word);
  const kernel = smallKernel({ memory, types: [timer], symbols: { expire: [CODE, "t"], data: [CODE + 0x1000n, "d"] } });
  Object.assign(kernel.arch, { stripPointer: (each: bigint) => each, virtualBits: 48, pageSize: 4096 });
  const step = { container: "struct timer_list", member: "entry.next", base: TIMER, address: TIMER, size: 8, comparison: "same", ...load };
  return replacedStructure({ kernel, bad: { origin: { steps: [{ load: step }] } } } as unknown as FaultCase);
}

it("sees a structure whose pointer to a function is none", () => {
  const replaced = found(0x20_000b_0020_000an);
  expect(replaced?.members).toEqual([{ name: "function", address: TIMER + 16n, value: 0x20_000b_0020_000an }]);
  expect(replaced === undefined ? "" : replacedText(replaced)).toContain("is no struct timer_list any more: function = 0020000b0020000a");
  expect(found(CODE + 0x1000n)).toBeDefined();
});

it("says nothing of code, of NULL, and of a type that was not met at a member", () => {
  expect(found(CODE)).toBeUndefined();
  expect(found(0n)).toBeUndefined();
  expect(found(0x6b6b_6b6b_6b6b_6b6bn)).toBeUndefined();
  expect(found(0x20_000b_0020_000an, { member: undefined })).toBeUndefined();
  expect(found(0x20_000b_0020_000an, { comparison: "changed" })).toBeUndefined();
});
