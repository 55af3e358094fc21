import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { readModules } from "./modules.ts";
import { array, CHAR, INT, pointerTo, SparseMemory, struct, typeSource, UINT, ULONG, VOID } from "./testing/small-kernel.ts";
import { Types } from "./types.ts";

const HEAD = 0xffff_ffff_8200_0000n;
const listHead = struct("list_head", [
  ["next", ULONG],
  ["prev", ULONG],
]);

/** 6.4 and newer: an array of pieces, text first. */
const pieces = struct("module_memory", [
  ["base", pointerTo(VOID)],
  ["size", UINT],
]);
const newer = struct("module", [
  ["state", INT],
  ["list", listHead],
  ["name", array(CHAR, 56)],
  ["taints", ULONG],
  ["mem", array(pieces, 7)],
]);
const core = struct("module_layout", [
  ["base", pointerTo(VOID)],
  ["size", UINT],
]);
/** 4.5 to 6.3. */
const older = struct("module", [
  ["state", INT],
  ["list", listHead],
  ["name", array(CHAR, 56)],
  ["core_layout", core],
  ["init_layout", core],
]);

function typesWith(memory: SparseMemory, ...all: Parameters<typeof typeSource>[0]): Types {
  return new Types(memory, [typeSource([listHead, ...all])]);
}

/** Links struct modules into a circle through the head; `list` lies at 8 in both layouts. */
function link(memory: SparseMemory, modules: readonly bigint[]): void {
  const nodes = [HEAD, ...modules.map((module) => module + 8n)];
  for (const [i, node] of nodes.entries()) {
    memory.put(node, nodes[(i + 1) % nodes.length] as bigint);
    memory.put(node + 8n, nodes.at(i - 1) as bigint);
  }
}

describe("readModules", () => {
  test("pieces of 6.4 and newer; a module without text shows base 0 as /proc/modules does", () => {
    const memory = new SparseMemory();
    const [first, second] = [0xffff_ffff_c000_0000n, 0xffff_ffff_c001_0000n];
    link(memory, [first, second]);
    for (const [at, name, base] of [
      [first, "loop", 0xffff_ffff_c100_0000n],
      [second, "data_only", 0n],
    ] as const) {
      memory.text(at + 24n, name);
      memory.put(at + 80n, 0x3000n);
      memory.put(at + 88n, base);
      memory.put(at + 96n, base === 0n ? 0 : 8192, 4);
      memory.put(at + 104n, 0xffff_ffff_c200_0000n);
      memory.put(at + 112n, 4096, 4);
    }
    const problems: string[] = [];
    const modules = readModules(memory, typesWith(memory, pieces, newer), virtual(HEAD), problems);
    expect(problems).toEqual([]);
    expect(modules.map(({ name, base, size, taints }) => [name, base, size, taints])).toEqual([
      ["loop", 0xffff_ffff_c100_0000n, 12288, 0x3000n],
      ["data_only", 0n, 4096, 0x3000n],
    ]);
    expect(modules[0]?.regions.map(({ kind, size }) => [kind, size])).toEqual([
      ["text", 8192],
      ["data", 4096],
    ]);
  });

  test("core and init of 4.5 to 6.3; unformed ones are left out", () => {
    const memory = new SparseMemory();
    const [first, second] = [0xffff_ffff_c000_0000n, 0xffff_ffff_c001_0000n];
    link(memory, [first, second]);
    memory.text(first + 24n, "tun");
    memory.put(first + 80n, 0xffff_ffff_c055_0000n);
    memory.put(first + 88n, 0x8000, 4);
    memory.put(second, 3, 4);
    const modules = readModules(memory, typesWith(memory, core, older), virtual(HEAD), []);
    expect(modules.map(({ name, base, size }) => [name, base, size])).toEqual([["tun", 0xffff_ffff_c055_0000n, 0x8000]]);
  });

  test("before 6.4 code, read-only data and data are one piece, code first", () => {
    const memory = new SparseMemory();
    const layout = struct("module_layout", [
      ["base", pointerTo(VOID)],
      ["size", UINT],
      ["text_size", UINT],
    ]);
    const module = struct("module", [
      ["state", INT],
      ["list", listHead],
      ["name", array(CHAR, 56)],
      ["core_layout", layout],
      ["init_layout", layout],
    ]);
    const at = 0xffff_ffff_c000_0000n;
    link(memory, [at]);
    memory.text(at + 24n, "tun");
    memory.put(at + 80n, 0xffff_ffff_c055_0000n);
    memory.put(at + 88n, 0x8000, 4);
    memory.put(at + 92n, 0x3000, 4);
    const [found] = readModules(memory, typesWith(memory, layout, module), virtual(HEAD), []);
    expect(found?.regions).toEqual([{ kind: "core", start: 0xffff_ffff_c055_0000n, size: 0x8000, codeSize: 0x3000 }]);
  });

  test("module_core and the symbol table of 3.10, which lie in struct module itself", () => {
    const memory = new SparseMemory();
    const symbol = pointerTo(VOID);
    const oldest = struct("module", [
      ["state", INT],
      ["list", listHead],
      ["name", array(CHAR, 56)],
      ["module_init", pointerTo(VOID)],
      ["module_core", pointerTo(VOID)],
      ["init_size", UINT],
      ["core_size", UINT],
      ["taints", UINT],
      ["symtab", symbol],
      ["num_symtab", UINT],
      ["strtab", pointerTo(CHAR)],
    ]);
    const [at, base, tables] = [0xffff_ffff_c000_0000n, 0xffff_ffff_a055_8000n, 0xffff_ffff_a055_c000n];
    link(memory, [at]);
    memory.text(at + 24n, "tun");
    memory.put(at + 88n, base);
    memory.put(at + 100n, 27141, 4);
    memory.put(at + 112n, tables);
    memory.put(at + 120n, 2, 4);
    memory.put(at + 128n, tables + 0x100n);
    // Elf64_Sym 1: the letter of kallsyms stands in st_info.
    memory.put(tables + 24n, 1, 4);
    memory.put(tables + 28n, 0x74, 1);
    memory.put(tables + 30n, 2, 2);
    memory.put(tables + 32n, base + 0x40n);
    memory.put(tables + 40n, 16n);
    memory.text(tables + 0x101n, "tun_get_user");
    const [module] = readModules(memory, typesWith(memory, oldest), virtual(HEAD), []);
    expect(module).toMatchObject({ name: "tun", base, size: 27141, state: 0 });
    expect(module?.regions.map(({ kind }) => kind)).toEqual(["core"]);
    expect(module?.symbols()?.byName("tun_get_user")).toMatchObject({ address: base + 0x40n, type: "t", size: 16 });
  });

  test("behind a module that cannot be read the list is read from its other end", () => {
    const memory = new SparseMemory();
    const all = [0xffff_ffff_c000_0000n, 0xffff_ffff_c001_0000n, 0xffff_ffff_c002_0000n, 0xffff_ffff_c003_0000n];
    link(memory, all);
    for (const [i, at] of all.entries()) memory.text(at + 24n, `m${i}`);
    // m0's link leads to where no memory is: m1 is lost, what follows is not.
    memory.put(0xffff_ffff_c000_0008n, 0xdead_0000_0000_0008n);
    memory.put(0xffff_ffff_c002_0010n, 0xdead_0000_0000_0008n);
    const problems: string[] = [];
    const modules = readModules(memory, typesWith(memory, core, older), virtual(HEAD), problems);
    expect(modules.map(({ name }) => name)).toEqual(["m0", "m2", "m3"]);
    expect(problems).toEqual([expect.stringMatching(/1 were read up to there and 2 from its other end; what lies between is missing/)]);
  });

  test("a circle that misses the head and a broken link end the list and are told", () => {
    const memory = new SparseMemory();
    const [first, second] = [0xffff_ffff_c000_0000n, 0xffff_ffff_c001_0000n];
    link(memory, [first, second]);
    memory.put(second + 8n, first + 8n);
    const problems: string[] = [];
    expect(readModules(memory, typesWith(memory, core, older), virtual(HEAD), problems)).toHaveLength(2);
    expect(problems).toEqual([expect.stringContaining("circle at ffffffffc0000008")]);
    memory.put(second + 8n, 0xdead_0000_0000_0000n);
    const others: string[] = [];
    expect(readModules(memory, typesWith(memory, core, older), virtual(HEAD), others)).toHaveLength(2);
    expect(others).toEqual([expect.stringContaining("list of modules is broken (virtual address deacfffffffffff8: not mapped)")]);
  });
});
