/**
 * One measurement of the index of names in a process of its own: `node dist/bench/name-index.js MODE VMLINUX`; prints one line of JSON.
 *
 *   one      index on one core                  keep    the index into the cache of INQUEST_CACHE_DIR
 *   threads  on all                             kept    and from there
 *   struct   struct task_struct by name, and all its members, nothing prepared
 */
import { cacheSettings } from "../src/bytes/cache-directory.ts";
import { openFile } from "../src/bytes/file-source.ts";
import { workerSettings } from "../src/bytes/worker-pool.ts";
import { sizeOf } from "../src/debug-info/c-type.ts";
import { DebugFile } from "../src/debug-info/debug-file.ts";
import { DwarfDebugInfo } from "../src/debug-info/dwarf/dwarf-debug-info.ts";
import { buildIndex } from "../src/debug-info/dwarf/name-build.ts";
import { loadIndex, saveIndex } from "../src/debug-info/dwarf/name-index-file.ts";
import { buildParallel } from "../src/debug-info/dwarf/name-parallel.ts";
import { readUnitTable } from "../src/debug-info/dwarf/name-units.ts";

const [mode = "", path = ""] = process.argv.slice(2);
const sections = DebugFile.open(openFile(path));
const info = sections.section(".debug_info");
if (info === undefined) throw new Error(`${path} has no .debug_info`);
workerSettings.script = new URL("../src/faces/index-worker.js", import.meta.url);

const work: Record<string, () => unknown> = {
  one: () => buildIndex(sections, readUnitTable(info)).names.nameAt.length,
  threads: () => buildParallel(sections, info).names.nameAt.length,
  keep: () => saveIndex(sections, buildIndex(sections, readUnitTable(info))),
  kept: () => loadIndex(sections)?.names.nameAt.length,
  struct: () => {
    cacheSettings.enabled = false;
    const type = DwarfDebugInfo.open(sections, "vmlinux").find("struct", "task_struct");
    if (type?.kind !== "struct") throw new Error("no struct task_struct");
    return type.members.reduce((sum, member) => sum + sizeOf(member.type), 0);
  },
};

const before = process.cpuUsage();
const start = performance.now();
const result = work[mode]?.();
const wall = performance.now() - start;
const { user, system } = process.cpuUsage(before);
process.stdout.write(
  `${JSON.stringify({ result, wall, user: user / 1000, system: system / 1000, resident: process.resourceUsage().maxRSS / 1024, size: info.size })}\n`,
);
