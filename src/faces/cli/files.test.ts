import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sortFiles } from "../../library/sort-files.ts";
import { rcFiles } from "./rc-files.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-files-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** An ELF file of this type with one PT_NOTE segment that holds a GNU build-id. */
function elf(name: string, type: number, id: readonly number[] = []): string {
  const bytes = new Uint8Array(0x200);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 4, true);
  view.setBigUint64(72, 0x100n, true);
  view.setBigUint64(96, BigInt(16 + id.length), true);
  view.setUint32(0x100, 4, true);
  view.setUint32(0x104, id.length, true);
  view.setUint32(0x108, 3, true);
  bytes.set([0x47, 0x4e, 0x55, 0], 0x10c);
  bytes.set(id, 0x110);
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

describe("files of the command line", () => {
  it("are told apart by content, in any order", () => {
    const vmlinux = elf("a", 2);
    const core = elf("b", 4);
    const map = join(directory, "System.map");
    writeFileSync(map, "ffffffff81000000 T _text\nffffffff81000000 T _stext\n");
    for (const order of [
      [vmlinux, core, map],
      [core, map, vmlinux],
    ])
      expect(sortFiles(order)).toEqual({ dump: [core], namelist: vmlinux, debugFiles: [], modules: [], systemMap: map });
    expect(sortFiles(["ram@0x80000000", core])).toMatchObject({
      dump: ["ram@0x80000000", core],
      namelist: undefined,
      systemMap: undefined,
    });
    expect(sortFiles([join(directory, "absent")]).dump).toHaveLength(1);
  });

  it("name what is missing or double", () => {
    const vmlinux = elf("a", 3);
    expect(() => sortFiles([vmlinux])).toThrow("is a vmlinux, not a dump");
    expect(() => sortFiles([vmlinux, elf("c", 2, [1, 2]), elf("b", 4)])).toThrow("are both ELF programs, of different builds");
    expect(() => sortFiles([elf("m.ko", 1)])).toThrow("m.ko is a module, not a dump");
  });

  it("modules, packed or not, and a vmlinux in two files of one build", () => {
    const core = elf("b", 4);
    const packed = join(directory, "nf-tables.ko.xz");
    writeFileSync(packed, Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4));
    const module = elf("lab_fault.ko.debug", 1);
    expect(sortFiles([packed, core, module]).modules).toEqual([packed, module]);
    // Packed, and not named as a module: the dump's reader will say what it is.
    writeFileSync(join(directory, "vmlinux.xz"), Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4));
    expect(sortFiles([join(directory, "vmlinux.xz"), core]).dump).toHaveLength(2);
    const [whole, debug] = [elf("vmlinux", 2, [7, 7]), elf("vmlinux.debug", 2, [7, 7])];
    expect(sortFiles([whole, debug, core])).toMatchObject({ namelist: whole, debugFiles: [debug] });
  });
});

describe("start-up files", () => {
  it("prefers .inquestrc in each place, home first; only home's is trusted", () => {
    const home = join(directory, "home");
    const work = join(directory, "work");
    for (const place of [home, work]) mkdirSync(place);
    writeFileSync(join(home, ".crashrc"), "");
    writeFileSync(join(work, ".crashrc"), "");
    writeFileSync(join(work, ".inquestrc"), "");
    expect(rcFiles({ HOME: home }, work)).toEqual([
      { path: join(home, ".crashrc"), trusted: true },
      { path: join(work, ".inquestrc"), trusted: false },
    ]);
    expect(rcFiles({ HOME: home }, home)).toHaveLength(1);
    rmSync(join(work, ".inquestrc"));
    rmSync(join(work, ".crashrc"));
    symlinkSync(join(home, ".crashrc"), join(work, ".crashrc"));
    expect(rcFiles({ HOME: home }, work)).toHaveLength(1);
  });
});
