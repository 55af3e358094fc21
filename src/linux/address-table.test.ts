import { expect, it } from "vitest";
import { AddressTable } from "./address-table.ts";

it("finds the range that holds an address, the later one where two overlap", () => {
  const table = new AddressTable([
    { start: 0x3000n, end: 0x4000n, value: "c" },
    { start: 0x1000n, end: 0x2000n, value: "a" },
    { start: 0x1800n, end: 0x1900n, value: "inner" },
    { start: 0x5000n, end: 0x5000n, value: "empty" },
    { start: 0xffff_ffff_ffff_0000n, end: 0xffff_ffff_ffff_ffffn, value: "top" },
  ]);
  const at = (address: bigint) => table.find(address)?.value;
  expect([0xfffn, 0x1000n, 0x17ffn, 0x1800n, 0x18ffn, 0x1900n, 0x1001n, 0x2000n].map(at)).toEqual([
    undefined,
    "a",
    "a",
    "inner",
    "inner",
    "a",
    "a",
    undefined,
  ]);
  expect([0x3fffn, 0x4000n, 0x5000n, 0xffff_ffff_ffff_8000n].map(at)).toEqual(["c", undefined, undefined, "top"]);
  expect(table.size).toBe(4);
});
