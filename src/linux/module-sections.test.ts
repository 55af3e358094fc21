import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { moduleSections } from "./module-sections.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const MODULE = 0xffff_ffff_c000_0000n;
const ATTRS = 0xffff_8880_0001_0000n;
const TEXT = 0xffff_8880_0002_0000n;
const EXPECTED = [
  { name: ".text", address: 0xffff_ffff_c000_1000n },
  { name: ".data", address: 0xffff_ffff_c000_2000n },
];
const attribute = { name: [0, "u64"] } as const;

describe("moduleSections", () => {
  test("6.14 and later: pointers to bin_attributes, the address in private", () => {
    const fake = new FakeKernel({
      module: { sect_attrs: [8, "u64"] },
      attribute,
      bin_attribute: { attr: [0, "attribute"], size: [8, "u64"], private: [24, "u64"] },
      attribute_group: { name: [0, "u64"], bin_attrs: [40, "u64"] },
      module_sect_attrs: { grp: [0, "attribute_group"], attrs: [48, "bytes0"] },
    });
    fake.memory.write(ATTRS, new Uint8Array(512));
    fake.memory.put64(MODULE + 8n, ATTRS);
    fake.memory.put64(ATTRS + 40n, ATTRS + 0x100n);
    EXPECTED.forEach(({ name, address }, i) => {
      const entry = ATTRS + 48n + BigInt(i) * 32n;
      fake.memory.put64(ATTRS + 0x100n + BigInt(i) * 8n, entry);
      fake.memory.put64(entry, TEXT + BigInt(i) * 16n);
      fake.memory.putText(TEXT + BigInt(i) * 16n, `${name}\0`);
      fake.memory.put64(entry + 24n, address);
    });
    expect(moduleSections(fake.kernel, virtual(MODULE))).toEqual(EXPECTED);
  });

  test("before: a counted array", () => {
    const fake = new FakeKernel({
      module: { sect_attrs: [8, "u64"] },
      attribute,
      bin_attribute: { attr: [0, "attribute"] },
      module_sect_attr: { battr: [0, "bin_attribute"], address: [56, "u64"] },
      module_sect_attrs: { nsections: [40, "u32"], attrs: [48, "bytes0"] },
    });
    fake.memory.put64(MODULE + 8n, ATTRS);
    fake.memory.put32(ATTRS + 40n, 2);
    EXPECTED.forEach(({ name, address }, i) => {
      const entry = ATTRS + 48n + BigInt(i) * 64n;
      fake.memory.put64(entry, TEXT + BigInt(i) * 16n);
      fake.memory.putText(TEXT + BigInt(i) * 16n, `${name}\0`);
      fake.memory.put64(entry + 56n, address);
    });
    expect(moduleSections(fake.kernel, virtual(MODULE))).toEqual(EXPECTED);
    fake.memory.put64(MODULE + 8n, 0n);
    expect(moduleSections(fake.kernel, virtual(MODULE))).toEqual([]);
  });
});
