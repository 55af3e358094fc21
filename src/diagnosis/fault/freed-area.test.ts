import { beforeEach, describe, expect, it, vi } from "vitest";
import type { FaultCase } from "./fault-case.ts";
import { freedArea, freedAreaText } from "./freed-area.ts";

const START = 0xffff_c900_0100_0000n;
const END = START + 0x4000n;
const identity = vi.hoisted(() => ({ freed: true as boolean | undefined }));
vi.mock("./try-identify.ts", () => ({
  tryIdentify: (_kernel: unknown, address: bigint) =>
    address >= START && address < END
      ? { roles: [{ kind: "vmalloc area", start: START, end: END, freed: identity.freed }] }
      : { roles: [] },
}));
beforeEach(() => {
  identity.freed = true;
});

function areaOf(pointer: bigint, address: bigint) {
  const kernel = { arch: { isKernelAddress: (value: bigint) => value >= 0xffff_8000_0000_0000n } };
  return freedArea({ kernel, access: { kind: "memory", address }, bad: { value: pointer } } as unknown as FaultCase);
}

describe("an area of vmalloc() that was given back", () => {
  it("is what the pointer leads to", () => {
    const area = areaOf(START, START + 0x1008n);
    expect(area).toMatchObject({ start: START, end: END });
    expect(area && freedAreaText(area)).toBe("the vmalloc area at ffffc90001000000, 16384 bytes, which was given back");
    // A walk that came to its end, but began in it.
    expect(areaOf(END, END - 8n)).toBeDefined();
  });

  it("is none while it is in use", () => {
    identity.freed = undefined;
    expect(areaOf(START, START + 8n)).toBeUndefined();
  });

  it("is not to blame when the pointer led elsewhere and the access ran into it", () => {
    expect(areaOf(START - 0x1000n, START + 8n)).toBeUndefined();
    expect(areaOf(END + 8n, END - 8n)).toBeUndefined();
  });

  it("is not what a process's address means", () => {
    expect(areaOf(0x1000n, 0x1008n)).toBeUndefined();
  });
});
