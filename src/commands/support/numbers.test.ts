import { describe, expect, it } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { looksLikeAddress, parseAddress, parseCount, parseHex } from "./numbers.ts";

const known: Record<string, bigint> = { schedule: 0xffffffff81000000n, add: 0x500n, "1st": 1n };
const kernel = {
  symbols: { byName: (name: string) => (Object.hasOwn(known, name) ? { address: virtual(known[name] as bigint) } : undefined) },
  nearestSymbols: () => ["schedule"],
};

describe("operands that are numbers", () => {
  it("reads addresses in hexadecimal with and without 0x", () => {
    expect(parseAddress(kernel, "ffff888003a4c000")).toBe(0xffff888003a4c000n);
    expect(parseAddress(kernel, "0xffff888003a4c000")).toBe(0xffff888003a4c000n);
    expect(parseAddress(kernel, "1000")).toBe(0x1000n);
    expect(parseAddress(kernel, "dead")).toBe(0xdeadn);
  });

  it("reads symbols, offsets and expressions", () => {
    expect(parseAddress(kernel, "schedule")).toBe(0xffffffff81000000n);
    expect(parseAddress(kernel, "&schedule")).toBe(0xffffffff81000000n);
    expect(parseAddress(kernel, "schedule+0x20")).toBe(0xffffffff81000020n);
    expect(parseAddress(kernel, "schedule+20")).toBe(0xffffffff81000014n);
    expect(parseAddress(kernel, "schedule-8")).toBe(0xffffffff80fffff8n);
    expect(parseAddress(kernel, "1000+20")).toBe(0x1020n);
    expect(parseAddress(kernel, "(schedule + 0x8 * 2)")).toBe(0xffffffff81000010n);
    expect(parseAddress(kernel, "add")).toBe(0x500n);
  });

  it("says what it does not know", () => {
    expect(() => parseAddress(kernel, "shedule")).toThrow('no symbol named "shedule" in this dump (nearest: schedule)');
    expect(() => parseAddress(kernel, "shedule+4")).toThrow('no symbol named "shedule"');
    expect(() => parseAddress(kernel, "10000000000000000")).toThrow("does not fit 64 bits");
    expect(() => parseAddress(kernel, "a=b")).toThrow("neither an address nor a symbol");
    expect(() => parseAddress(kernel, "")).toThrow("is missing");
  });

  it("reads counts in decimal", () => {
    expect(parseCount("16")).toBe(16);
    expect(parseCount("0x10")).toBe(16);
    expect(parseCount("-3")).toBe(-3);
    expect(parseCount("(4*4)")).toBe(16);
    expect(() => parseCount("many")).toThrow('"many" is no number');
    expect(() => parseCount("99999999999999999999")).toThrow("too large");
  });

  it("reads plain hexadecimal", () => {
    expect(parseHex("3a")).toBe(0x3an);
    expect(() => parseHex("schedule")).toThrow("no hexadecimal number");
    expect(looksLikeAddress("ffff")).toBe(true);
    expect(looksLikeAddress("schedule")).toBe(false);
  });
});
