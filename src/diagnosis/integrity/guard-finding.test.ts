import { describe, expect, it } from "vitest";
import { type SlabPage, Slabs } from "../../linux/slab.ts";
import { checkGuards } from "../../linux/slab-guards.ts";
import { OBJECTS, SLABS, SlubKernel } from "../../linux/testing/slub-kernel.ts";
import { confidenceOf } from "../finding.ts";
import { guardFindings } from "./guard-finding.ts";

const RED_ZONE = 0x400;
const SIZE = 40;

/** Objects of 40 bytes with 8 bytes of red zone before and behind. */
function build(): SlubKernel {
  const kernel = new SlubKernel("cpu slabs", {}, { red_left_pad: [28, "u32"] });
  Object.assign(kernel, { symbolize: () => undefined });
  Object.assign(kernel.arch, { isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n });
  const cache = kernel.cacheAddress;
  kernel.memory.put32(cache + 8n, RED_ZONE);
  kernel.memory.put32(cache + 20n, SIZE);
  kernel.memory.put32(cache + 28n, 8);
  kernel.memory.put32(cache + 44n, SIZE + 8);
  kernel.slab("A", []);
  for (let i = 0; i < OBJECTS; i++) {
    kernel.memory.write(kernel.object("A", i), new Uint8Array(8).fill(0xcc));
    kernel.memory.write(kernel.object("A", i) + 8n + BigInt(SIZE), new Uint8Array(8).fill(0xcc));
  }
  return kernel;
}

function found(kernel: SlubKernel) {
  const slab = Slabs.of(kernel.kernel)?.slabAt(kernel.page(SLABS.A) as never) as SlabPage;
  const { damage, objects } = checkGuards(kernel.kernel, slab);
  return guardFindings(kernel.kernel, damage, objects);
}

/** The object's own bytes begin behind its left red zone. */
const own = (kernel: SlubKernel, index: number, offset: number) => kernel.object("A", index) + 8n + BigInt(offset);

describe("guard bytes that were overwritten", () => {
  it("by text that begins in the object", () => {
    const kernel = build();
    kernel.memory.putText(own(kernel, 4, 30), "/dev/ttyS0,115");
    const [finding, ...others] = found(kernel);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      class: "slab-redzone",
      depth: "cause",
      address: own(kernel, 4, SIZE),
      access: { kind: "write", size: 4 },
    });
    expect(finding?.object).toMatchObject({ address: own(kernel, 4, 0), cache: "filp" });
    expect(finding?.title).toContain('"/dev/ttyS0,115"');
    expect(finding?.story.join(" ")).toContain("30 bytes from its start");
    expect(finding === undefined ? "" : confidenceOf(finding)).toBe("high");
  });

  it("into the next object's are one stretch", () => {
    const kernel = build();
    kernel.memory.write(own(kernel, 4, 32), new Uint8Array(32).fill(0x41));
    const all = found(kernel);
    expect(all).toHaveLength(1);
    expect(all[0]?.story.join(" ")).toContain("2 in all");
  });

  it("before an object, while those of the one before are whole", () => {
    const kernel = build();
    kernel.memory.put32(own(kernel, 4, -4), 7);
    expect(found(kernel)[0]).toMatchObject({ class: "slab-redzone", address: own(kernel, 4, -4) });
    expect(found(kernel)[0]?.story.join(" ")).toContain("below this object's start");
  });

  it("in one bit: then it is not sure", () => {
    const kernel = build();
    kernel.memory.write(own(kernel, 4, SIZE + 2), Uint8Array.of(0xcc ^ 0x10));
    const [finding] = found(kernel);
    expect(finding === undefined ? "" : confidenceOf(finding)).toBe("likely");
  });
});
