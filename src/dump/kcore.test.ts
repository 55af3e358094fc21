import { describe, expect, it } from "vitest";
import { MemorySource } from "../bytes/memory-source.ts";
import { isKcorePath, openKcore } from "./kcore.ts";
import { buildElf, type TestSegment } from "./testing/build-elf.ts";
import { textNote } from "./testing/build-notes.ts";
import { testPage, verdicts } from "./testing/test-pages.ts";

/** Sizes of /proc/kcore are those of the address space, or 0. */
function open(segments: readonly TestSegment[], size: number) {
  const bytes = new MemorySource("/proc/kcore", buildElf({ segments, notes: [textNote("VMCOREINFO", "OSRELEASE=6.1\n")] }));
  return openKcore({ name: bytes.name, size, readInto: (target, offset) => bytes.readInto(target, offset), close() {} });
}

const DIRECT = 0xffff888000000000n;
const two = (first: number) => Uint8Array.from([...testPage(first), ...testPage(first + 1)]);

describe("openKcore", () => {
  it("knows the file by name", () => {
    expect(["/proc/kcore", "/proc/1/root/proc/kcore", "/proc/kcore2", "kcore", "/tmp/proc/kcore"].map(isKcorePath)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it.each([2 ** 47, 0])("reads RAM by p_paddr and leaves vmalloc aside, whatever the size says: %d", (size) => {
    const dump = open(
      [
        { physical: 0xffff_ffff_ffff_ffffn, virtual: 0xffffc90000000000n, data: two(50) },
        { physical: 0x1000, virtual: DIRECT + 0x1000n, data: two(1) },
        { physical: 0x4000, virtual: 0xffffffff81000000n, data: two(4) },
      ],
      size,
    );
    expect(verdicts(dump, 7)).toEqual(["absent", "right", "right", "absent", "right", "right", "absent"]);
    expect(dump).toMatchObject({ live: true, incomplete: false, warnings: [], vmcoreinfo: "OSRELEASE=6.1\n", format: "/proc/kcore" });
    expect(dump.virtualRanges.map((range) => range.virtual)).toEqual([DIRECT + 0x1000n, 0xffffffff81000000n]);
  });

  it("finds the physical addresses of kernels before 4.11, which leave them zero", () => {
    const dump = open(
      [
        { physical: 0, virtual: 0xffffc90000000000n, data: two(50) },
        { physical: 0, virtual: 0xffff880000001000n, data: two(1) },
      ],
      2 ** 47,
    );
    expect(verdicts(dump, 4)).toEqual(["absent", "right", "right", "absent"]);
  });
});
