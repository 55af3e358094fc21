import { expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { blockMajors, charMajors } from "./char-device.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const TABLE = 0xffff_8880_0050_0000n;
const ENTRY = 0xffff_8880_0051_0000n;
const MAP = 0xffff_8880_0052_0000n;
const PROBE = 0xffff_8880_0053_0000n;

function kernelWith(): FakeKernel {
  const fake = new FakeKernel({
    char_device_struct: {
      next: [0, "u64"],
      major: [8, "u32"],
      baseminor: [12, "u32"],
      minorct: [16, "u32"],
      name: [20, "bytes16"],
      cdev: [40, "u64"],
    },
    cdev: { ops: [8, "u64"] },
    kobj_map: { probes: [0, "bytes2040"] },
    probe: { next: [0, "u64"], dev: [8, "u32"], range: [16, "u64"], data: [24, "u64"] },
    blk_major_name: { next: [0, "u64"], major: [8, "u32"], name: [12, "bytes16"] },
  });
  fake.memory.write(TABLE, new Uint8Array(255 * 8));
  fake.memory.write(MAP, new Uint8Array(4096));
  fake.symbol("chrdevs", TABLE);
  fake.symbol("cdev_map", MAP + 0x900n);
  fake.memory.put64(MAP + 0x900n, MAP);
  return fake;
}

function entry(fake: FakeKernel, index: number, next: number | undefined, major: number, minor: number, name: string, cdev: bigint): void {
  const at = ENTRY + BigInt(index) * 64n;
  fake.memory.write(at, new Uint8Array(64));
  fake.memory.put64(at, next === undefined ? 0n : ENTRY + BigInt(next) * 64n);
  fake.memory.put32(at + 8n, major);
  fake.memory.put32(at + 12n, minor);
  fake.memory.putText(at + 20n, name);
  fake.memory.put64(at + 40n, cdev);
}

test("majors in the order of their hash; a region without a device of its own is looked up by its first minor", () => {
  const fake = kernelWith();
  entry(fake, 0, 1, 4, 0, "/dev/vc/0", 0n);
  entry(fake, 1, undefined, 259, 64, "ttyS", 0n);
  fake.memory.put64(TABLE + 4n * 8n, ENTRY);
  fake.memory.write(PROBE, new Uint8Array(64));
  fake.memory.put32(PROBE + 8n, 4 << 20);
  fake.memory.put64(PROBE + 16n, 1n);
  fake.memory.put64(PROBE + 24n, PROBE + 0x20n);
  fake.memory.put64(PROBE + 0x28n, 0xffff_ffff_8200_0000n);
  fake.memory.put64(MAP + 4n * 8n, PROBE);
  const { majors, notes } = charMajors(fake.kernel);
  expect(notes).toEqual([]);
  expect(majors.map(({ major, name, device, operations }) => [major, name, device, operations])).toEqual([
    [4, "/dev/vc/0", PROBE + 0x20n, 0xffff_ffff_8200_0000n],
    [259, "ttyS", undefined, undefined],
  ]);
});

test("a chain that runs in a circle and one that leads nowhere lose nothing of the others", () => {
  const fake = kernelWith();
  entry(fake, 0, 0, 1, 0, "mem", 0n);
  entry(fake, 1, undefined, 7, 0, "vcs", 0n);
  fake.memory.put64(TABLE + 1n * 8n, ENTRY);
  fake.memory.put64(TABLE + 3n * 8n, 0xffff_8880_7777_0000n);
  fake.memory.put64(TABLE + 7n * 8n, ENTRY + 64n);
  const { majors, notes } = charMajors(fake.kernel);
  expect(majors.map(({ name }) => name)).toEqual(["mem", "vcs"]);
  expect(notes).toEqual([
    expect.stringContaining("chrdevs[1] runs in a circle"),
    expect.stringContaining("chrdevs[3] breaks at ffff888077770000"),
  ]);
});

test("block majors", () => {
  const fake = kernelWith();
  fake.symbol("major_names", TABLE);
  const at = virtual(ENTRY);
  fake.memory.write(at, new Uint8Array(64));
  fake.memory.put32(at + 8n, 254);
  fake.memory.putText(at + 12n, "virtblk");
  fake.memory.put64(TABLE + 254n * 8n, at);
  expect(blockMajors(fake.kernel).majors).toEqual([{ address: at, major: 254, name: "virtblk" }]);
});
