import { beforeEach, describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import { moduleAt, provedByCache, provedByContents, provedByTarget } from "./module-proof.ts";

const BASE = 0xffff_8880_0001_0000n;
const DATA = virtual(0xffff_ffff_c000_0000n);
const OTHER = virtual(0xffff_ffff_c001_0000n);
const at = (n: number): VirtualAddress => virtual(BASE + BigInt(n) * 0x100n);
const samples = [...Array(8).keys()].map((n) => ({ start: at(n), size: 64 }));

let memory: SparseMemory;
let kernel: Kernel;

beforeEach(() => {
  memory = new SparseMemory();
  memory.write(BASE, new Uint8Array(0x4000));
  for (const data of [DATA, OTHER]) memory.write(data, new Uint8Array(0x1000));
  kernel = smallKernel({ memory });
  Object.defineProperty(kernel, "modules", {
    value: [
      { name: "clip", regions: [{ kind: "data", start: DATA, size: 0x1000 }] },
      { name: "other", regions: [{ kind: "core", start: OTHER, size: 0x1000 }] },
    ],
  });
  Object.assign(kernel, { symbolize: (address: bigint) => `sym_${address.toString(16)}` });
  Object.assign(kernel.arch, { isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n });
});

describe("whose memory is", () => {
  it("by a pointer at the same place of nearly all", () => {
    for (const [i, { start }] of samples.entries()) if (i !== 3) memory.put(start + 16n, DATA + 0x40n);
    memory.put(at(3) + 8n, OTHER);
    expect(provedByContents(kernel, samples, "pages drawn")).toMatchObject({
      module: "clip",
      text: expect.stringContaining("7 of 8 pages drawn"),
    });
  });

  it("not by pointers of some, nor at different places", () => {
    for (const [i, { start }] of samples.entries()) memory.put(start + BigInt(i) * 8n, DATA);
    for (const { start } of samples.slice(0, 4)) memory.put(start + 56n, OTHER);
    expect(provedByContents(kernel, samples, "pages drawn")).toBeUndefined();
  });

  it("by the module's variable that holds the cache, when no other's does", () => {
    const cache = at(40);
    memory.put(DATA + 0x80n, cache);
    expect(provedByCache(kernel, cache, "conn_ctx")).toMatchObject({
      module: "clip",
      evidence: [{ values: [{ address: DATA + 0x80n, value: cache }] }],
    });
    memory.put(OTHER + 8n, cache);
    expect(provedByCache(kernel, cache, "conn_ctx")).toBeUndefined();
  });

  it("by what all lead to, when that is one module's", () => {
    const device = at(50);
    for (const { start } of samples) memory.put(start + 8n, device);
    expect(provedByTarget(kernel, samples, "objects")).toBeUndefined();
    memory.put(device + 0x90n, DATA + 8n);
    expect(provedByTarget(kernel, samples, "objects")).toMatchObject({ module: "clip" });
    memory.put(device + 0x98n, OTHER + 8n);
    expect(provedByTarget(kernel, samples, "objects")).toBeUndefined();
  });

  it("at an address", () => {
    expect(moduleAt(kernel, DATA + 0xfffn)?.name).toBe("clip");
    expect(moduleAt(kernel, DATA + 0x1000n)).toBeUndefined();
  });
});
