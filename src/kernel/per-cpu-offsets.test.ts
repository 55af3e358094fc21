import { describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { perCpuOffsets } from "./per-cpu-offsets.ts";

const TABLE = 0xffffffff82000000n;
const MASK = 0xffffffff83000000n;
const LOAD = 0xffffffff81c00000n;

/** A kernel built for eight CPUs, in which two are possible. */
function offsets(table: readonly bigint[], mask: number | undefined) {
  const named: Record<string, bigint> = { __per_cpu_offset: TABLE, __cpu_possible_mask: MASK };
  const byName = (name: string) => {
    const address = named[name];
    return address === undefined ? undefined : ({ name, address: virtual(address), type: "D" } as never);
  };
  const neighbours = () => ({ next: { address: virtual(TABLE + BigInt(table.length * 8)) } }) as never;
  const memory = {
    u64: (address: VirtualAddress) => {
      const value = table[Number((address - TABLE) / 8n)];
      if (value === undefined) throw new FaultError(address, "virtual", "truncated");
      return value;
    },
    tryU32: () => undefined,
    tryBytes: (address: VirtualAddress, length: number) =>
      address === MASK && mask !== undefined ? new Uint8Array(length).fill(mask, 0, 1) : undefined,
  };
  return perCpuOffsets(memory, { byName, kernel: { neighbours } })();
}

describe("the areas of CPUs", () => {
  const table = [0x1000n, 0x2000n, LOAD, LOAD, LOAD, LOAD, LOAD, LOAD];

  it("are those of the possible ones", () => {
    expect(offsets(table, 0b11)).toEqual([0x1000n, 0x2000n]);
    expect(offsets(table, 0b101)).toEqual([0x1000n, undefined, LOAD]);
  });

  it("without the mask are those that no two entries share", () => {
    expect(offsets(table, undefined)).toEqual([0x1000n, 0x2000n]);
    expect(offsets([0x1000n, 0n, 0n], undefined)).toEqual([0x1000n]);
  });
});
