/**
 * The trace buffers and control groups of the `views` guests: `ftrace` must print what /sys/kernel/tracing/trace printed, line for line,
 * and `cgroup` what the files of the cgroup2 mount held.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CachedCase, cachedCases } from "../../lab/case-record.ts";
import { truthOf } from "../../lab/truth.ts";
import type { CgroupResult, CgroupRow } from "../../src/commands/cgroup.ts";
import type { Session } from "../../src/commands/command.ts";
import { createSession } from "../../src/commands/session.ts";
import { openKernel } from "../../src/kernel/open.ts";

const MOUNT = "mnt/cgroup";
const cases = cachedCases().filter(({ id }) => id.endsWith("-views"));

describe.each(cases.map((lab) => [lab.id, lab] as const))("%s", (_id, lab: CachedCase) => {
  const { files } = truthOf(lab);
  let session: Session;
  beforeAll(async () => {
    session = createSession(await openKernel(lab.dumps.find(({ format }) => format === "elf")?.files ?? []));
  });
  afterAll(() => session.kernel.dump.close());
  const traced = () => session.kernel.tryAddress("global_trace") !== undefined;

  test.each(["sys/kernel/tracing/trace", "sys/kernel/tracing/instances/lab/trace"])("%s", (path) => {
    const theirs = files.read(path);
    // The kernel lists functions only: the command says so.
    if (theirs === undefined || !traced()) return;
    const line = path.includes("instances") ? "ftrace -i lab" : "ftrace";
    const plain = (text: string) =>
      text
        .replace(/^#.*\n/gm, "")
        .trimEnd()
        .split("\n");
    const own = plain([...session.execute(line).text({ radix: 10 })].join("\n"));
    const told = plain(theirs).map(unhashed(own));
    // The tracer's names of tasks may have been overwritten by later ones, in the guest and then in the dump.
    expect(own.length).toBeGreaterThan(100);
    const differ = own.findIndex((text, i) => withoutComm(text) !== withoutComm(told[i] ?? ""));
    expect(differ < 0 ? [] : [differ, own[differ], told[differ]]).toEqual([]);
    expect(own.length).toBe(told.length);
    const named = own.filter((text, i) => text === told[i] || text.includes(": sys_")).length;
    expect(named).toBeGreaterThan(own.length * 0.95);
  });

  test("cgroup", () => {
    if (files.list(MOUNT).length === 0) return;
    const { hierarchies } = session.execute("cgroup").result as CgroupResult;
    const rows = new Map([...(hierarchies.find(({ version }) => version === 2)?.groups ?? [])].map((row) => [row.path, row]));
    const below = (path: string): string[] =>
      files.list(`${MOUNT}${path}`).flatMap((name) => {
        const own = `${path}/${name}`;
        return files.list(`${MOUNT}${own}`).length === 0 ? [] : [own, ...below(own)];
      });
    const paths = below("");
    expect(paths.length).toBeGreaterThan(2);
    expect([...rows.keys()].sort()).toEqual(["/", ...paths].sort());
    for (const path of paths) {
      const text = (name: string) => files.read(`${MOUNT}${path}/${name}`)?.trim();
      checkGroup(rows.get(path) as CgroupRow, text);
    }
  });
});

function checkGroup(row: CgroupRow, text: (name: string) => string | undefined): void {
  const limit = (value: string | undefined) => (value === undefined || value === "max" ? undefined : Number(value));
  expect([row.path, row.controllers.filter((name) => text("cgroup.controllers")?.split(" ").includes(name)).sort()]).toEqual([
    row.path,
    text("cgroup.controllers")?.split(" ").sort(),
  ]);
  const processes =
    text("cgroup.procs")
      ?.split("\n")
      .filter((pid) => pid !== "") ?? [];
  for (const pid of processes)
    expect([row.path, row.tasks.map((task) => task.pid)]).toEqual([row.path, expect.arrayContaining([Number(pid)])]);
  const { memory, pids, frozen } = row.usage;
  if (text("memory.max") !== undefined) {
    expect([row.path, memory?.max, memory?.high]).toEqual([row.path, limit(text("memory.max")), limit(text("memory.high"))]);
    expect([row.path, memory?.current]).toEqual([row.path, Number(text("memory.current"))]);
    for (const entry of text("memory.events")?.split("\n") ?? []) {
      const [name = "", count] = entry.split(" ");
      if (memory?.events[name] !== undefined) expect([row.path, name, memory.events[name]]).toEqual([row.path, name, Number(count)]);
    }
    // Sums are made when the file is read, which it was; what came after is small.
    for (const name of ["anon", "file", "shmem"]) {
      const said = Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text("memory.stat") ?? "")?.[1]);
      expect(Math.abs((memory?.stat[name] ?? 0) - said), `${row.path} ${name}: ${memory?.stat[name]} of ${said}`).toBeLessThanOrEqual(
        1 << 19,
      );
    }
  }
  if (text("pids.max") !== undefined)
    expect([row.path, pids?.current, pids?.max]).toEqual([row.path, Number(text("pids.current")), limit(text("pids.max"))]);
  if (text("cgroup.freeze") !== undefined) expect([row.path, frozen]).toEqual([row.path, text("cgroup.freeze") === "1"]);
}

/**
 * Name and pid of who wrote it, cut down to the pid. System calls: 7.x shows numbers as decimal and names some flags, we show all as
 * hexadecimal numbers as the kernels before did; names and texts must be the same.
 */
function withoutComm(line: string): string {
  const text = line.replace(/^.{16,}?-(\d+ +\[)/, "$1");
  const call = /^(.*: sys_\w+)\((.*)\)$/.exec(text);
  return call === null ? text : `${call[1]}(${(call[2] ?? "").match(/"[^"]*"/g)?.join() ?? ""})`;
}

/** The guest may print a hash for %p: ours of the same line takes its place. */
function unhashed(own: readonly string[]): (line: string, index: number) => string {
  return (line, index) => {
    const ours = own[index] ?? "";
    return line.replace(/\b0000000[0-9a-f]{9}\b/g, (hash, at: number) => /^[0-9a-f]{16}/.exec(ours.slice(at))?.[0] ?? hash);
  };
}
