/**
 * The index of names of each vmlinux in the cache, and of some modules, against the general reader of entries and against the search without
 * an index.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cachedCases } from "../../lab/case-record.ts";
import { cacheDir } from "../../lab/paths.ts";
import { openFile } from "../../src/bytes/file-source.ts";
import { DebugFile } from "../../src/debug-info/debug-file.ts";
import { FunctionMap } from "../../src/debug-info/dwarf/function-map.ts";
import { buildIndex } from "../../src/debug-info/dwarf/name-build.ts";
import { NameIndex, type NameKind } from "../../src/debug-info/dwarf/name-index.ts";
import { readUnitTable } from "../../src/debug-info/dwarf/name-units.ts";
import { RawSearch } from "../../src/debug-info/dwarf/raw-search.ts";
import { naiveNames } from "../../src/debug-info/dwarf/testing/naive-names.ts";
import { openUnits } from "../../src/debug-info/dwarf/units.ts";

const KINDS = ["struct", "union", "enum", "typedef", "base", "function", "variable"] as const;
/** Asked of the search: in the first unit, in few, in the last, in none; tails of other names, short ones, declared ones. */
const NAMES: readonly (readonly [NameKind, string])[] = [
  ["struct", "task_struct"],
  ["struct", "page"],
  ["struct", "list_head"],
  ["struct", "kmem_cache"],
  ["union", "thread_union"],
  ["enum", "pid_type"],
  ["typedef", "u8"],
  ["typedef", "pid_t"],
  ["base", "int"],
  ["base", "char"],
  ["function", "schedule"],
  ["function", "vfs_read"],
  ["function", "get_task_struct"],
  ["function", "list_add"],
  ["variable", "init_task"],
  ["variable", "jiffies"],
  ["variable", "runqueues"],
  ["constant", "PIDTYPE_PID"],
  ["struct", "no_such_struct"],
];

const vmlinux = [
  ...new Set(cachedCases().flatMap((made) => (made.vmlinux !== undefined && existsSync(made.vmlinux) ? [made.vmlinux] : []))),
];

/** Some module files with debug information beside the cached kernels. */
function modules(): string[] {
  return vmlinux.slice(0, 3).flatMap((path) => {
    const root = join(path, "../../lib/modules");
    if (!existsSync(root)) return [];
    const found = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ko"));
    return found.slice(0, 4).map((name) => join(root, name));
  });
}

function short(path: string): string {
  return path.replace(cacheDir(), "…");
}

describe.skipIf(vmlinux.length === 0)("the index of names", () => {
  test.each([...vmlinux, ...modules()].map((path) => [short(path), path]))("of %s", (_, path) => {
    const sections = DebugFile.open(openFile(path));
    const info = sections.section(".debug_info");
    if (info === undefined) throw new Error(`${path} has no debug information`);
    const built = buildIndex(sections, readUnitTable(info));
    expect(built.damaged).toBe(0);
    const index = new NameIndex(built.names, sections.section(".debug_str"));
    const naive = naiveNames(openUnits(sections));
    const differ: string[] = [];
    for (const [key, places] of naive.entries) {
      const [kind, name] = [key.slice(0, key.indexOf(" ")), key.slice(key.indexOf(" ") + 1)];
      if (JSON.stringify(index.find(kind as NameKind, name)) !== JSON.stringify(places)) differ.push(key);
    }
    for (const kind of KINDS)
      for (const name of index.names(kind, "", Number.MAX_SAFE_INTEGER))
        if (!naive.entries.has(`${kind} ${name}`)) differ.push(`${kind} ${name}`);
    expect(differ).toEqual([]);
    expect(naive.entries.size).toBeGreaterThan(100);

    const map = new FunctionMap(built.functions, built.names.unitStart);
    const lost = [...naive.functions].filter(([address, dies]) => !dies.includes(map.at(address)?.die ?? -1));
    expect(lost).toEqual([]);

    const search = new RawSearch(sections, info);
    for (const [kind, name] of RawSearch.canSearch(sections) ? NAMES : []) {
      const found = search.find(kind, name);
      const wanted = index.find(kind, name);
      if (found !== undefined)
        expect([kind, name, ...found.places]).toEqual([kind, name, ...(found.definition ? wanted.slice(0, 1) : wanted)]);
    }
  });
});
