import { expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { FakeKernel } from "../linux/testing/fake-kernel.ts";
import { modulePieces } from "./module-pieces.ts";

const MODULE = 0xffff_ffff_c000_0000n;
const ATTRS = 0xffff_8880_0001_0000n;
const NAMES = 0xffff_8880_0002_0000n;
const TEXT = virtual(0xffff_ffff_c100_0000n);

it("a section ends at the next one that lies higher, the last one with its region", () => {
  const fake = new FakeKernel({
    module: { sect_attrs: [8, "u64"] },
    attribute: { name: [0, "u64"] },
    bin_attribute: { attr: [0, "attribute"] },
    module_sect_attr: { battr: [0, "bin_attribute"], address: [56, "u64"] },
    module_sect_attrs: { nsections: [40, "u32"], attrs: [48, "bytes0"] },
  });
  const sections = [".text", ".empty", ".exit.text", ".elsewhere"];
  const addresses = [TEXT, TEXT + 0x100n, TEXT + 0x100n, TEXT + 0x9000n];
  fake.memory.put64(MODULE + 8n, ATTRS);
  fake.memory.put32(ATTRS + 40n, sections.length);
  sections.forEach((name, i) => {
    const entry = ATTRS + 48n + BigInt(i) * 64n;
    fake.memory.put64(entry, NAMES + BigInt(i) * 16n);
    fake.memory.putText(NAMES + BigInt(i) * 16n, `${name}\0`);
    fake.memory.put64(entry + 56n, addresses[i] as bigint);
  });
  const modules = [{ name: "toy", address: virtual(MODULE), regions: [{ kind: "text", start: TEXT, size: 0x1000 }] }];
  const kernel = { types: fake.kernel.types, memory: fake.kernel.memory, modules } as unknown as Kernel;
  expect([...modulePieces(kernel)].map(({ start, end, value }) => [value.section, start - TEXT, end - TEXT])).toEqual([
    ["text", 0n, 0x1000n],
    [".text", 0n, 0x100n],
    [".empty", 0x100n, 0x1000n],
    [".exit.text", 0x100n, 0x1000n],
  ]);
});
