import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DebugInfo } from "../debug-info/debug-info.ts";
import type { DebugSections } from "../debug-info/debug-sections.ts";
import {
  ascii,
  type BuiltElf,
  type BuiltSection,
  buildElfFile,
  buildIdSection,
  symbolSections,
} from "../debug-info/testing/build-elf-file.ts";
import { findVmlinux, openVmlinux } from "./vmlinux-file.ts";

const BASE = 0xffff_ffff_8100_0000n;
const BANNER = "Linux version 6.12.0 (me@here) (gcc 14) #1 SMP";
const ID = [0xab, 0xcd, 0xef];
/** What the kernel also has in .rodata, and what is no banner. */
const OTHERS = "Linux version %s (%s)\n\0Life of vines\0Linux version 6.12.0 (me@here) (gcc 14) # SMP\n\0";

const text: BuiltSection = { name: ".text", flags: 6, address: BASE, content: ascii(`${OTHERS}${BANNER}\n\0`) };
const rodata: BuiltSection = { ...text, name: ".rodata", flags: 2 };
const info: BuiltSection = { name: ".debug_info", content: ascii("info") };
const symbols = symbolSections(
  [{ name: "linux_banner", value: BASE + BigInt(OTHERS.length), section: ".text", size: BANNER.length + 2 }],
  [".text"],
);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-vmlinux-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(name: string, sections: readonly BuiltSection[], more: Partial<BuiltElf> = {}): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, buildElfFile({ sections, ...more }));
  return path;
}

describe("a vmlinux", () => {
  it("whole: symbols, banner, bytes, debug information when asked for", async () => {
    const made: [DebugSections, string, unknown][] = [];
    const made_ = { file: "made" } as unknown as DebugInfo;
    const file = await openVmlinux(write("vmlinux", [text, buildIdSection(ID), ...symbols, info], { load: ".text" }), {
      debugInfo: (...words) => {
        made.push(words);
        return made_;
      },
    });
    expect(file).toMatchObject({ machine: 62, buildId: "abcdef", banner: BANNER, hasDebugInfo: true, lack: undefined, notes: [] });
    expect(file.symbols?.byName("linux_banner")?.type).toBe("T");
    expect(file.section(".text")).toEqual({ address: BASE, size: text.content.length });
    expect(file.section(".debug_info")).toBeUndefined();
    expect(file.bytesAt(BASE, 5)).toEqual(ascii("Linux"));
    expect(made).toHaveLength(0);
    const complete = () => undefined;
    expect(file.describe(complete)).toBe(made_);
    expect(file.describe(complete)).toBe(made_);
    expect(made.map(([sections, owner, by]) => [sections.file.endsWith("vmlinux"), owner, by])).toEqual([[true, "vmlinux", complete]]);
  });

  it("stripped: its banner is found in .rodata, and what it lacks is said", async () => {
    const bare = await openVmlinux(write("a", [rodata]));
    expect(bare).toMatchObject({ banner: BANNER, symbols: undefined, lack: "stripped: it has neither debug information nor symbols" });
    expect(bare.describe()).toBeUndefined();
    const named = await openVmlinux(write("b", [text, ...symbols]));
    expect(named.lack).toBe("stripped: it has symbols but no debug information");
  });

  it("in two files: either may be given", async () => {
    const program = write("vmlinux", [text, buildIdSection(ID)], { load: ".text" });
    const debug = write("d/.build-id/ab/cdef.debug", [{ ...text, type: 8 }, buildIdSection(ID), ...symbols, info], { load: ".text" });
    const file = await openVmlinux(program, { directories: [join(directory, "d")] });
    expect(file).toMatchObject({ hasDebugInfo: true, banner: BANNER });
    expect(file.symbols?.count).toBe(1);
    const alone = await openVmlinux(debug);
    // Its segment still claims bytes of the file, which are not the program's.
    expect(alone).toMatchObject({ hasDebugInfo: true, banner: undefined });
    expect(alone.bytesAt(BASE, 5)).toBeUndefined();
  });

  it("something else: one line that says what", async () => {
    await expect(openVmlinux(write("m.ko", [text], { type: 1 }))).rejects.toThrow(
      /m.ko: is a module or an object file \(ET_REL\), not a vmlinux$/,
    );
    await expect(openVmlinux(write("core", [text], { type: 4 }))).rejects.toThrow(/core: is a core dump, not a vmlinux$/);
    await expect(openVmlinux(write("v", [text], { machine: 22 }))).rejects.toThrow(/is for s390x; only x86-64 and arm64 kernels/);
    writeFileSync(join(directory, "text"), "hello");
    await expect(openVmlinux(join(directory, "text"))).rejects.toThrow("not an ELF file");
    await expect(openVmlinux(directory)).rejects.toThrow("is a directory, not a vmlinux");
    await expect(openVmlinux(join(directory, "none"))).rejects.toThrow("none: no such file");
  });

  it("is found by release and build-id, and taken only with that build-id and debug information", async () => {
    const directories = [join(directory, "usr/lib/debug")];
    const told = new Set<string>();
    const refused = (path: string, why: string) => void told.add(`${path.slice(directory.length + 1)}: ${why}`);
    const find = (buildId: string) => findVmlinux({ release: "6.12.0", buildId, directories, refused });
    expect(await find("abcdef")).toBeUndefined();
    write("usr/lib/debug/boot/vmlinux-6.12.0", [text, buildIdSection(ID)]);
    expect(await find("abcdef")).toBeUndefined();
    const path = write("usr/lib/debug/lib/modules/6.12.0/vmlinux", [text, buildIdSection(ID), info]);
    writeFileSync(join(directory, "usr/lib/debug/boot/vmlinux-6.12.0.debug"), "damaged");
    expect((await find("abcdef"))?.path).toBe(path);
    expect([...told]).toEqual([
      "usr/lib/debug/boot/vmlinux-6.12.0: it has no debug information",
      expect.stringContaining("not an ELF file"),
    ]);
    expect(await find("abcd00")).toBeUndefined();
    expect([...told]).toContain("usr/lib/debug/lib/modules/6.12.0/vmlinux: it is of another build: build-id abcdef against abcd00");
  });
});
