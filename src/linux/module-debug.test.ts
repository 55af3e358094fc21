import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { DebugInfo } from "../debug-info/debug-info.ts";
import type { DebugSections } from "../debug-info/debug-sections.ts";
import {
  ascii,
  type BuiltSection,
  buildElfFile,
  buildIdSection,
  relaSection,
  symbolSections,
} from "../debug-info/testing/build-elf-file.ts";
import { KernelDebugInfo } from "../kernel/debug-info.ts";
import type { KernelModule } from "../kernel/modules.ts";
import { ModuleDebug } from "./module-debug.ts";
import { moduleBuildId, moduleSectionAddresses } from "./module-identity.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const MODULE = 0xffff_ffff_c000_0000n;
const ATTRS = 0xffff_8880_0001_0000n;
const NAMES = 0xffff_8880_0002_0000n;
const NOTE = 0xffff_ffff_c000_3000n;
const TEXT = 0xffff_ffff_c000_1000n;
const ID = [0xab, 0xcd, 0xef, 0x01];
const SECTIONS: readonly (readonly [string, bigint])[] = [
  [".note.gnu.build-id", NOTE],
  [".text", TEXT],
];

function fakeKernel(id: readonly number[] | undefined = ID) {
  const fake = new FakeKernel({
    module: { sect_attrs: [8, "u64"], percpu: [16, "u64"], build_id: [24, "bytes20"] },
    attribute: { name: [0, "u64"] },
    bin_attribute: { attr: [0, "attribute"] },
    module_sect_attr: { battr: [0, "bin_attribute"], address: [56, "u64"] },
    module_sect_attrs: { nsections: [40, "u32"], attrs: [48, "bytes0"] },
  });
  fake.memory.write(MODULE, new Uint8Array(64));
  fake.memory.put64(MODULE + 8n, ATTRS);
  fake.memory.put32(ATTRS + 40n, SECTIONS.length);
  SECTIONS.forEach(([name, address], i) => {
    const entry = ATTRS + 48n + BigInt(i) * 64n;
    fake.memory.put64(entry, NAMES + BigInt(i) * 32n);
    fake.memory.putText(NAMES + BigInt(i) * 32n, `${name}\0`);
    fake.memory.put64(entry + 56n, address);
  });
  if (id !== undefined) fake.memory.write(NOTE, buildIdSection(id).content);
  Object.assign(fake, { debugInfo: new KernelDebugInfo(undefined, () => []), vmcoreinfo: { osrelease: "6.1.0" } });
  return fake;
}

const module = { name: "lab_fault", address: virtual(MODULE) } as KernelModule;

describe("a loaded module", () => {
  test("its build-id: the note in its memory, else the loader's copy", () => {
    const fake = fakeKernel();
    expect(moduleBuildId(fake.kernel, module)).toBe("abcdef01");
    fake.memory.put32(NOTE + 4n, 5000);
    expect(moduleBuildId(fake.kernel, module)).toBeUndefined();
    fake.memory.put32(MODULE + 24n, 0x04030201);
    expect(moduleBuildId(fake.kernel, module)).toBe(`01020304${"00".repeat(16)}`);
    fake.memory.put64(MODULE + 8n, 0n);
    fake.memory.put32(MODULE + 24n, 0);
    expect(moduleBuildId(fake.kernel, module)).toBeUndefined();
  });

  test("its sections, the per-CPU one at the module's allocation", () => {
    const fake = fakeKernel();
    fake.memory.put64(MODULE + 16n, 0x2_0000n);
    expect(moduleSectionAddresses(fake.kernel, module)).toEqual(new Map([...SECTIONS, [".data..percpu", 0x2_0000n]]));
    fake.memory.drop(ATTRS);
    expect(moduleSectionAddresses(fake.kernel, module)).toEqual(new Map([[".data..percpu", 0x2_0000n]]));
  });
});

describe("debug files of modules", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "inquest-modules-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const ko = (id: readonly number[] | undefined = ID, { debug = true, type = 1, machine = 62 } = {}): Uint8Array => {
    const sections: BuiltSection[] = [{ name: ".text", flags: 6, content: new Uint8Array(64) }];
    if (id !== undefined) sections.push(buildIdSection(id));
    if (debug) sections.push({ name: ".debug_info", content: ascii("12345678") });
    sections.push(...symbolSections([{ name: "f", value: 0x20n, section: ".text" }], [".text"]));
    if (debug) sections.push(relaSection(".debug_info", [[0, machine === 62 ? 1 : 257, 1, 0n]]));
    return buildElfFile({ type, machine, sections });
  };
  function write(name: string, bytes: Uint8Array): string {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  }
  function open(options: { files?: readonly string[]; directories?: readonly string[]; search?: boolean } = {}, fake = fakeKernel()) {
    const seen: DebugSections[] = [];
    const debug = new ModuleDebug(fake.kernel, {
      ...options,
      debugInfo: (sections) => {
        seen.push(sections);
        return {} as DebugInfo;
      },
    });
    return { debug, seen, notes: fake.notes };
  }

  test("by build-id, by name below a release's directory, packed, in a plain directory, given", () => {
    const places: [string, Uint8Array][] = [
      ["plain/sub/lab-fault.ko.gz", gzipSync(ko())],
      ["root/lib/modules/6.1.0/extra/lab-fault.ko.gz", gzipSync(ko())],
      ["root/usr/lib/debug/lib/modules/6.1.0/kernel/lab_fault.ko.debug", ko()],
      ["root/usr/lib/debug/.build-id/ab/cdef01.debug", ko()],
    ];
    for (const [name, bytes] of places) {
      const path = write(name, bytes);
      const { debug, seen } = open({ directories: [join(directory, name.split("/")[0] as string)] });
      expect(debug.load(module)).toMatchObject({ module: "lab_fault", path, bias: 0n });
      const section = seen[0]?.section(".debug_info");
      const view = new DataView((section?.read(0, 8) ?? new Uint8Array(8)).slice().buffer);
      expect(view.getBigUint64(0, true)).toBe(TEXT + 0x20n);
    }
    const given = write("other/lab_fault.ko", ko());
    const root = join(directory, "root");
    expect(open({ files: [given], directories: [root] }).debug.load(module)?.path).toBe(given);
    expect(open({ files: [given], search: false }).debug.load(module)?.path).toBe(given);
    expect(open({ directories: [root], search: false }).debug.load(module)).toBeUndefined();
  });

  test("of another build is refused with both build-ids, and the search goes on", () => {
    const wrong = write("a/lab_fault.ko", ko([1, 2, 3, 4]));
    const { debug, notes } = open({ files: [wrong], search: false });
    expect(debug.load(module)).toBeUndefined();
    expect(notes).toEqual([`${wrong} is of another build of module lab_fault: build-id 01020304 against abcdef01`]);
    expect(() => debug.open(module, wrong)).toThrow("build-id 01020304 against abcdef01");
    const right = write("b/lab_fault.ko", ko());
    expect(open({ files: [wrong, right], search: false }).debug.load(module)?.path).toBe(right);
    // A directory given to `mod -S`.
    expect(debug.open(module, join(directory, "b")).path).toBe(right);
    expect(() => debug.open(module, join(directory, "a"))).toThrow("of another build");
  });

  test("what cannot be used, one line each", () => {
    const { debug } = open({ search: false });
    const refused = (name: string, bytes: Uint8Array) => {
      const path = write(name, bytes);
      try {
        debug.open(module, path);
      } catch (error) {
        return (error as Error).message.replace(path, "FILE");
      }
      return "accepted";
    };
    expect(refused("s.ko", ko(ID, { debug: false }))).toBe("FILE has no debug information: it is stripped");
    expect(refused("x.ko", ko(ID, { machine: 183 }))).toBe("FILE is for arm64; the dump is of x86-64");
    expect(refused("v.ko", ko(ID, { type: 2 }))).toBe("FILE: is not a module: it is an ELF file, but not a relocatable one");
    expect(refused("t.ko", ascii("text"))).toContain("not an ELF file");
    expect(refused("anything.o", ko())).toBe("accepted");
    // Without an id only the name can tell.
    expect(refused("n/other.ko", ko([]))).toContain("cannot be told to belong to module lab_fault");
    expect(refused("n/lab_fault.ko", ko([]))).toBe("accepted");
    expect(() => debug.open(module)).toThrow("no debug information found for module lab_fault; give its file: mod -s lab_fault FILE");
    expect(() => debug.open(module, join(directory, "absent.ko"))).toThrow("no such file");
  });

  test("a module without a list of sections cannot be placed", () => {
    const fake = fakeKernel();
    fake.memory.put64(MODULE + 8n, 0n);
    const path = write("lab_fault.ko", ko());
    expect(() => open({ search: false }, fake).debug.open(module, path)).toThrow("kept no list of its sections");
  });

  test("packed files that turn out to be stripped are not all unpacked", () => {
    const root = join(directory, "r/lib/modules/6.1.0");
    write("r/lib/modules/6.1.0/other.ko.gz", gzipSync(ko(ID, { debug: false })));
    write("r/lib/modules/6.1.0/lab_fault.ko.gz", gzipSync(ko()));
    const { debug } = open({ directories: [join(directory, "r")] });
    expect(debug.load({ ...module, name: "other" })).toBeUndefined();
    expect(debug.load(module)).toBeUndefined();
    expect(debug.open(module).path).toBe(join(root, "lab_fault.ko.gz"));
  });
});
