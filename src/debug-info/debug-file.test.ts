import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError, InquestError } from "../bytes/errors.ts";
import { openFile } from "../bytes/file-source.ts";
import { crc32 } from "../bytes/inflate-node.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { ByteWriter } from "../bytes/testing/byte-writer.ts";
import { Random } from "../bytes/testing/random.ts";
import { DebugFile, type DebugFileOptions } from "./debug-file.ts";
import {
  ascii,
  type BuiltSection,
  buildElfFile,
  buildIdSection,
  compressed,
  relaSection,
  symbolSections,
} from "./testing/build-elf-file.ts";

const ID = [0xab, 0xcd, 0xef, 0x01];
const text: BuiltSection = { name: ".text", flags: 6, address: 0xffffffff81000000n, content: ascii("code") };
const noText: BuiltSection = { ...text, type: 8 };
const info = (content: string): BuiltSection => ({ name: ".debug_info", content: ascii(content) });

let directory: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "inquest-debug-file-")));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(name: string, sections: readonly BuiltSection[], type = 2): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, buildElfFile({ type, sections }));
  return path;
}

function open(path: string, options: DebugFileOptions = {}): DebugFile {
  return DebugFile.open(openFile(path), options);
}

function content(
  file: { section(name: string): { size: number; read(o: number, l: number): Uint8Array } | undefined } | undefined,
  name = ".debug_info",
) {
  const section = file?.section(name);
  return section === undefined ? undefined : String.fromCharCode(...section.read(0, section.size));
}

function debugLink(name: string, target: Uint8Array): BuiltSection {
  const out = new ByteWriter().text(0, `${name}\0`);
  out.u32(Math.ceil(out.length / 4) * 4, crc32(target));
  return { name: ".gnu_debuglink", content: out.finish() };
}

describe("a file with debug information", () => {
  it("gives sections by canonical name; none where there is no content", () => {
    const file = open(write("a", [text, buildIdSection(ID), compressed(info("packed"), "gnu"), { ...noText, name: ".debug_line" }]));
    expect(content(file)).toBe("packed");
    expect(file.section(".debug_info")?.name).toBe(".debug_info");
    expect(file.section(".debug_line")).toBeUndefined();
    expect(file.section(".text")?.address).toBe(0xffffffff81000000n);
    expect(file).toMatchObject({ machine: 62, buildId: "abcdef01", split: false, hasDebugInfo: true, reopenable: false });
    expect(open(write("b", [text, info("plain")])).reopenable).toBe(true);
    expect(() => file.section(".debug_info")?.read(4, 3)).toThrow(FormatError);
    expect(() => file.section(".debug_info")?.read(-1, 3)).toThrow(FormatError);
    expect(file.supplementary()).toBeUndefined();
  });

  it("ends where the file ends", () => {
    const file = open(write("a", [{ ...info("short"), size: 1 << 20 }]));
    expect(() => file.section(".debug_info")?.read(0, 100_000)).toThrow(/section .debug_info: the file ends before byte 100000/);
  });
});

describe("a separate debug file", () => {
  const debug = (name: string, id: readonly number[] | undefined, word: string) =>
    write(name, [noText, ...(id === undefined ? [] : [buildIdSection(id)]), info(word)]);
  const bytesOf = (id: readonly number[] | undefined, word: string) =>
    buildElfFile({ sections: [noText, ...(id === undefined ? [] : [buildIdSection(id)]), info(word)] });

  it("by build-id, below a directory", () => {
    const main = write("bin/vmlinux", [text, buildIdSection(ID)]);
    debug("d/.build-id/ab/cdef01.debug", ID, "by id");
    const file = open(main, { directories: [join(directory, "d")] });
    expect(content(file)).toBe("by id");
    expect(content(file, ".text")).toBe("code");
    expect(file.file).toBe(join(directory, "d/.build-id/ab/cdef01.debug"));
    expect(open(main).hasDebugInfo).toBe(false);
  });

  it("by .gnu_debuglink: beside, in .debug, below a directory; by its checksum where there is no build-id", () => {
    const link = debugLink("vm.dbg", bytesOf(undefined, "linked"));
    const main = write("bin/vmlinux", [text, link]);
    expect(open(main).hasDebugInfo).toBe(false);
    const places = [`d${directory}/bin/vm.dbg`, "bin/.debug/vm.dbg", "bin/vm.dbg"];
    for (const place of places) {
      debug(place, undefined, "linked");
      const file = open(main, { directories: [join(directory, "d")] });
      expect(content(file)).toBe("linked");
      expect(file.file).toBe(join(directory, place));
    }
    debug("bin/vm.dbg", undefined, "forged");
    const file = open(main);
    expect(content(file)).toBe("linked");
    expect(file.notes).toEqual([
      `${join(directory, "bin/vm.dbg")} is not the debug file of ${main}: its checksum differs from the one in .gnu_debuglink`,
    ]);
  });

  it("of another build is refused, with both build-ids", () => {
    const main = write("bin/vmlinux", [text, buildIdSection(ID), debugLink("vm.dbg", bytesOf([9, 9], "other"))]);
    const other = debug("bin/vm.dbg", [9, 9], "other");
    const file = open(main);
    expect(file.hasDebugInfo).toBe(false);
    expect(file.notes).toEqual([`${other} is not the debug file of ${main}: build-id 0909 against abcdef01`]);
    // A candidate without any proof is not taken either.
    const bare = debug("bare", undefined, "bare");
    expect(open(main, { candidates: [bare] }).hasDebugInfo).toBe(false);
    expect(content(open(main, { candidates: [debug("given", ID, "given")] }))).toBe("given");
  });
});

describe("a supplementary file", () => {
  it(".gnu_debugaltlink: beside the real file, or by build-id; proved by its id", () => {
    const alt = (name: string): BuiltSection => ({ name: ".gnu_debugaltlink", content: ascii(`${name}\0\x77\x88\x99`) });
    const main = write("lib/a.debug", [info("main"), alt("../dwz/shared")]);
    expect(open(main).supplementary()).toBeUndefined();
    write("dwz/shared", [buildIdSection([1, 2, 3]), info("wrong")]);
    expect(open(main).supplementary()).toBeUndefined();
    write("d/.build-id/77/8899.debug", [buildIdSection([0x77, 0x88, 0x99]), info("by id")]);
    expect(content(open(main, { directories: [join(directory, "d")] }).supplementary())).toBe("by id");
    write("dwz/shared", [buildIdSection([0x77, 0x88, 0x99]), info("shared")]);
    mkdirSync(join(directory, "links"));
    symlinkSync(main, join(directory, "links/a"));
    const file = open(join(directory, "links/a"));
    expect(content(file.supplementary())).toBe("shared");
    expect(file.supplementary()).toBe(file.supplementary());
  });

  it(".debug_sup of DWARF 5, by its checksum", () => {
    const main = write("a", [info("main"), { name: ".debug_sup", content: ascii("\x05\0\0sup\0\x02\x11\x22") }]);
    write("sup", [info("other"), { name: ".debug_sup", content: ascii("\x05\0\x01\0\x02\x11\x23") }]);
    expect(open(main).supplementary()).toBeUndefined();
    write("sup", [info("sup"), { name: ".debug_sup", content: ascii("\x05\0\x01\0\x02\x11\x22") }]);
    const file = open(main);
    expect(content(file.supplementary())).toBe("sup");
    // The supplementary file names no further one.
    expect(file.supplementary()?.supplementary()).toBeUndefined();
  });
});

describe("split parts", () => {
  const dwo = (word: string): BuiltSection => ({ name: ".debug_info.dwo", content: ascii(word) });

  it("a .dwo where the unit says, or beside; else the package", () => {
    const main = write("out/a", [text, info("skeleton")]);
    const file = () => open(main);
    expect(file().splitUnit("x.dwo", "/nowhere", 1n)).toBeUndefined();
    write("out/a.dwp", [dwo("package")]);
    expect(content(file().splitUnit("x.dwo", "/nowhere", 1n))).toBe("package");
    expect(content(file().splitUnit(undefined, undefined, 1n))).toBe("package");
    write("out/x.dwo", [dwo("beside")], 1);
    expect(content(file().splitUnit("x.dwo", "/nowhere", 1n))).toBe("beside");
    expect(content(file().splitUnit("/gone/x.dwo", undefined, 1n))).toBe("beside");
    write("build/x.dwo", [dwo("built")], 1);
    const found = file();
    const unit = found.splitUnit("x.dwo", join(directory, "build"), 1n);
    expect(content(unit)).toBe("built");
    expect(unit?.split).toBe(true);
    expect(found.splitUnit("x.dwo", join(directory, "build"), 1n)).toBe(unit);
  });

  it("in the object file itself (-gsplit-dwarf=single)", () => {
    const main = write("a.o", [info("skeleton"), dwo("split")], 1);
    const file = open(main);
    expect(content(file)).toBe("skeleton");
    expect(content(file.splitUnit("a.o", undefined, 1n))).toBe("split");
  });
});

describe("damaged files", () => {
  it("give right answers or one of our errors, in bounded time and memory", () => {
    const names = [".text", ".debug_info", ".debug_line"];
    const relocated = buildElfFile({
      type: 1,
      sections: [
        text,
        compressed(info("some debug information, long enough to be packed"), "zlib"),
        compressed({ name: ".debug_line", content: new Uint8Array(300) }, "gnu"),
        buildIdSection(ID),
        { name: ".gnu_debugaltlink", content: ascii("/nowhere\0\x77") },
        ...symbolSections([{ name: "f", value: 4n, section: ".text" }], names),
        relaSection(".debug_info", [
          [0, 1, 1, 0n],
          [12, 10, 1, 7n],
        ]),
      ],
    });
    for (let seed = 0; seed < 1500; seed++) {
      const random = new Random(seed);
      const bytes = relocated.slice(0, seed % 6 === 0 ? random.below(relocated.length) : relocated.length);
      for (let i = 0; i < 3 && bytes.length > 0; i++)
        bytes[random.below(bytes.length)] = [0, 0xff, random.below(256)][random.below(3)] as number;
      try {
        const file = DebugFile.open(new MemorySource("x", bytes), { addresses: new Map([[".text", 0x1000n]]) });
        for (const { name } of file.elf.sections) {
          const section = file.section(name.replace(".zdebug", ".debug"));
          if (section === undefined) continue;
          // A header may claim what the file does not hold; only a compressed section is allocated before it is read.
          section.read(0, Math.min(section.size, 4096));
          section.read(Math.max(0, section.size - 10), Math.min(10, section.size));
        }
        file.supplementary();
      } catch (error) {
        if (!(error instanceof InquestError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});
