import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { FaultError, FormatError, InquestError } from "../bytes/errors.ts";
import { Random } from "../bytes/testing/random.ts";
import { type OrcEntry, OrcTable, type OrcVersion, orcVersionOfEntries, orcVersionOfHeader } from "./orc.ts";
import { buildOrc } from "./testing/build-orc.ts";
import { BytesReader } from "./testing/bytes-reader.ts";

const TEXT = 0xffffffff81000000n;
const TABLE = 0xffffffff82000000n;

const call: OrcEntry = { spReg: "sp", spOffset: 8, bpReg: "undefined", bpOffset: 0, type: "call", signal: false };
const pushed: OrcEntry = { spReg: "sp", spOffset: 16, bpReg: "prev_sp", bpOffset: -16, type: "call", signal: false };
const framed: OrcEntry = { spReg: "bp", spOffset: 16, bpReg: "prev_sp", bpOffset: -16, type: "call", signal: false };
const regs: OrcEntry = { spReg: "sp", spOffset: 0, bpReg: "undefined", bpOffset: 0, type: "regs", signal: true };
const partial: OrcEntry = { spReg: "sp", spOffset: -24, bpReg: "undefined", bpOffset: 0, type: "regs_partial", signal: true };
const end: OrcEntry = { spReg: "undefined", spOffset: 0, bpReg: "undefined", bpOffset: 0, type: "end_of_stack", signal: false };
const none: OrcEntry = { spReg: "undefined", spOffset: 0, bpReg: "undefined", bpOffset: 0, type: "undefined", signal: false };
const realigned: OrcEntry = { spReg: "r10", spOffset: 0, bpReg: "bp_indirect", bpOffset: -8, type: "call", signal: false };

/** Entry code, then many ordinary functions, as in a kernel. */
function makeEntries(): [bigint, OrcEntry][] {
  const list = [end, none, partial, regs, realigned];
  for (let i = 0; i < 300; i++) list.push(call, pushed, pushed, framed, call, none);
  return list.map((entry, i) => [TEXT + BigInt(i * 16), entry]);
}

describe.each([1, 2, 3, 4] as const)("ORC v%i", (version: OrcVersion) => {
  const entries = makeEntries();
  const { image, location } = buildOrc(entries, TABLE, version);
  const memory = new BytesReader(image, location.ip);
  const table = OrcTable.open(memory, location, undefined);

  it("is told by its entries", () => {
    expect(table.version).toBe(version);
  });

  it("gives all versions' entries in one form", () => {
    for (const [i, [address, entry]] of entries.entries()) {
      expect(table.address(i)).toBe(address);
      expect(table.entry(i)).toEqual(entry);
    }
  });

  it("finds the entry that covers a pc", () => {
    expect(table.find(virtual(TEXT))).toEqual(end);
    expect(table.find(virtual(TEXT + 16n * 7n + 15n))).toEqual(entries[7]?.[1]);
    expect(table.find(virtual(TEXT + 0x100000n))).toEqual(none);
    expect(table.find(virtual(TEXT - 1n))).toBeUndefined();
    expect(table.find(virtual(0n))).toBeUndefined();
  });
});

describe("ORC", () => {
  it("knows the headers of Linux 6.4 and 7.1", () => {
    const header = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
    expect(orcVersionOfHeader(header("fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24"))).toBe(3);
    expect(orcVersionOfHeader(header("137c36ad7627c4dd55932176bb0ecdbd5041fc82"))).toBe(4);
    expect(orcVersionOfHeader(new Uint8Array(20))).toBeUndefined();
  });

  it("reads an empty table, and refuses an impossible one", () => {
    const memory = new BytesReader(new Uint8Array(0), virtual(TABLE));
    const table = OrcTable.open(memory, { ip: virtual(TABLE), entries: virtual(TABLE), count: 0 }, undefined);
    expect(table.find(virtual(TEXT))).toBeUndefined();
    for (const count of [-1, 1.5, 1e9]) {
      expect(() => new OrcTable(memory, { ip: virtual(TABLE), entries: virtual(TABLE), count }, 3)).toThrow(FormatError);
    }
  });

  it("says when the table cannot be read", () => {
    const { image, location } = buildOrc(makeEntries(), TABLE, 3);
    const table = new OrcTable(new BytesReader(image, location.ip, [[0, 8192]]), location, 3);
    expect(() => table.find(virtual(TEXT))).toThrow(FaultError);
  });

  it("survives any bytes", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      const image = Uint8Array.from({ length: 1000 }, () => random.below(256));
      const memory = new BytesReader(image, virtual(TABLE));
      orcVersionOfEntries(image.subarray(0, random.below(1000)));
      const location = { ip: virtual(TABLE), entries: virtual(TABLE + 400n), count: 100 };
      try {
        const table = OrcTable.open(memory, location, virtual(TABLE));
        for (let i = 0; i < 100; i++) table.entry(i);
        table.find(virtual(TEXT + BigInt(random.below(1 << 30))));
      } catch (error) {
        if (!(error instanceof InquestError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});
