/**
 * gcore on every cached case: the core of the process with seven threads, against the guest's word (mappings, command line), the machine
 * code (a sleeping thread stands behind its system call), the program's own file, and what gdb makes of it where it knows the machine.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases, type LabDump } from "../../lab/case-record.ts";
import { cacheDir } from "../../lab/paths.ts";
import { truthOf } from "../../lab/truth.ts";
import type { GcoreResult } from "../../src/commands/gcore.ts";
import { createSession } from "../../src/commands/session.ts";
import { writeSaved } from "../../src/faces/cli/save-bytes.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { taskTable } from "../../src/linux/task.ts";
import { readCore } from "../support/read-core.ts";

const isFiltered = (dump: LabDump) => /d31/.test(dump.name);
const chosen = (lab: CachedCase) =>
  [lab.dumps.find((dump) => dump.format !== "raw" && !isFiltered(dump)), lab.dumps.find(isFiltered)].filter((dump) => dump !== undefined);
const directory = mkdtempSync(join(tmpdir(), "inquest-gcore-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** The guest's program, by what the core has of its first page: cases keep no record of which build they ran. */
function programOf(first: Uint8Array): string | undefined {
  const kernels = join(cacheDir(), "kernels");
  for (const kernel of readdirSync(kernels)) {
    const programs = join(kernels, kernel, "programs");
    for (const build of existsSync(programs) ? readdirSync(programs) : []) {
      const file = join(programs, build, "workers");
      if (existsSync(file) && readFileSync(file).subarray(0, first.length).equals(first)) return file;
    }
  }
  return undefined;
}

const hasGdb = spawnSync("gdb", ["--version"]).status === 0;

describe.each(cachedCases().map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  const truth = truthOf(lab);

  test.each(chosen(lab).map((dump) => [dump.name, dump] as const))("%s", async (_name, dump) => {
    const kernel = await openKernel(dump.files);
    try {
      const leader = kernel.types.present ? taskTable(kernel).tasks.find(({ comm }) => comm === "workers") : undefined;
      // The case of many tasks records only some of them.
      if (leader === undefined || truth.mappings(leader.pid).length === 0) return;
      const file = join(directory, "core");
      const result = createSession(kernel).execute(`gcore ${leader.pid} ${file}`).result as GcoreResult;
      writeSaved(result.save);
      const core = readCore(file);

      // Memory: each mapping the guest named is there, and nothing else.
      const said = truth.mappings(leader.pid).filter(({ path }) => path !== "[vsyscall]");
      const ours = core.segments.map(({ start, end }) => [start, end] as const);
      expect(joined(ours)).toEqual(joined(said.map(({ start, end }) => [start, end] as const)));
      const mapped = said.filter(({ path }) => path.startsWith("/"));
      expect(core.files.map(({ start, end, offset, path }) => [start, end, offset * BigInt(kernel.arch.pageSize), path])).toEqual(
        mapped.map(({ start, end, offset, path }) => [start, end, offset, path]),
      );

      // Threads: all of them, the named first, each behind its system call.
      const tids = truth.files.list(`proc/${leader.pid}/task`).map(Number);
      expect(core.threads[0]?.pid).toBe(leader.pid);
      expect(core.threads.map(({ pid }) => pid).sort((a, b) => a - b)).toEqual(tids.sort((a, b) => a - b));
      expect(core.machine).toBe(kernel.arch.name === "x86_64" ? 62 : 183);
      if (isFiltered(dump)) {
        expect(result.memory.pages.lost).toBeGreaterThan(0);
        expect(core.missing).toMatch(/lost: excluded in the dump/);
        return;
      }
      expect(result.memory.unreadable).toBe(0);
      expect(core.arguments).toBe(truth.words(leader.pid, "cmdline").join(" "));
      const call = kernel.arch.name === "x86_64" ? [0x0f, 0x05] : [0x01, 0x00, 0x00, 0xd4];
      for (const { pid, pc } of core.threads)
        expect([pid, ...(core.read(pc - BigInt(call.length), call.length) ?? [])]).toEqual([pid, ...call]);

      // The text is that of the program, as far as it is in memory or in the page cache.
      const first = core.read(0x400000n, 4096);
      const program = first === undefined ? undefined : programOf(first);
      if (program === undefined) return;
      const bytes = readFileSync(program);
      for (const { start, end, path, permissions, offset } of said) {
        if (path !== "/lab/workers" || permissions !== "r-xp") continue;
        const text = core.read(start, Number(end - start));
        if (text !== undefined) expect(Buffer.compare(text, bytes.subarray(Number(offset), Number(offset) + text.length))).toBe(0);
      }
      if (!hasGdb || kernel.arch.name !== "x86_64") return;
      const { stdout } = spawnSync(
        "gdb",
        ["-batch", "-nx", "-ex", "info threads", "-ex", "thread apply all bt", "-ex", "x/dw &quiet_pipe", program, file],
        {
          encoding: "utf8",
        },
      );
      expect(stdout).toMatch(/generated by `\/lab\/workers --of the lab'/);
      for (const name of ["in_pipe_read", "in_poll", "in_epoll", "in_futex", "in_socket", "main"])
        expect(stdout).toContain(` in ${name} ()`);
      expect(stdout).toMatch(/<quiet_pipe>:\s+3$/m);
    } finally {
      kernel.dump.close();
    }
  });
});

/** Ranges with neighbours made one. */
function joined(ranges: readonly (readonly [bigint, bigint])[]): string[] {
  const out: [bigint, bigint][] = [];
  for (const [start, end] of ranges) {
    const last = out.at(-1);
    if (last?.[1] === start) last[1] = end;
    else out.push([start, end]);
  }
  return out.map(([start, end]) => `${start.toString(16)}-${end.toString(16)}`);
}
