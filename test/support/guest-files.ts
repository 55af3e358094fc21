/** What the guest said of the open files, directories, mappings and mounts of its processes, against the linux floor. */
import { expect } from "vitest";
import type { Truth } from "../../lab/truth.ts";
import { add, virtual } from "../../src/bytes/address.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { directories, filePath, openFiles } from "../../src/linux/file.ts";
import { mountTable } from "../../src/linux/mount.ts";
import { type Task, taskTable } from "../../src/linux/task.ts";
import { UserPages } from "../../src/linux/user-pages.ts";
import { findVma, vmas } from "../../src/linux/vma.ts";
import { vmaFlags } from "../../src/linux/vma-flags.ts";
import { vmaName } from "../../src/linux/vma-name.ts";

/** User processes that the guest recorded and that lived on unchanged: the recorder itself (pid 1) went on running. */
function recorded(kernel: Kernel, truth: Truth): readonly Task[] {
  const pids = new Set(truth.processIds());
  return taskTable(kernel).tasks.filter((task) => task.mm !== 0n && task.pid > 1 && task.pid === task.tgid && pids.has(task.pid));
}

/** Lines `… 3 -> /dev/null` of `ls -l`. */
function links(text: string | undefined): string[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const found = /(\S+) -> (.*)$/.exec(line);
    return found === null ? [] : [`${found[1]?.replace(/^.*\//, "")} ${found[2]}`];
  });
}

/** Every descriptor of every process, with the path that /proc/PID/fd had. Returns how many were compared. */
export function checkOpenFiles(kernel: Kernel, truth: Truth): number {
  let count = 0;
  for (const task of recorded(kernel, truth)) {
    const said = links(truth.files.read(`proc/${task.pid}/fd`)).sort();
    if (said.length === 0) continue;
    const notes: string[] = [];
    const ours = [...openFiles(kernel, task.address, notes)];
    expect(notes).toEqual([]);
    expect([task.comm, ...ours.map(({ fd, path }) => `${fd} ${path}`).sort()]).toEqual([task.comm, ...said]);
    count += said.length;
  }
  return count;
}

/** Every mapping of every process: range, permissions, offset in the file, path or name. Returns how many were compared. */
export function checkMaps(kernel: Kernel, truth: Truth): number {
  const flags = new Map(vmaFlags(kernel).map(({ name, mask }) => [name, mask]));
  let count = 0;
  for (const task of recorded(kernel, truth)) {
    const said = truth.mappings(task.pid).filter(({ path }) => path !== "[vsyscall]");
    if (said.length === 0) continue;
    const ours = [...vmas(kernel, task.mm)].map((vma) => {
      const has = (name: string) => (vma.flags & (flags.get(name) ?? 0n)) !== 0n;
      const permissions = `${has("READ") ? "r" : "-"}${has("WRITE") ? "w" : "-"}${has("EXEC") ? "x" : "-"}${has("MAYSHARE") ? "s" : "p"}`;
      const offset = vma.file === 0n ? 0n : vma.pageOffset << BigInt(kernel.arch.pageShift);
      return { start: vma.start, end: vma.end, permissions, offset, path: vmaName(kernel, task.mm, vma) ?? "" };
    });
    expect([task.comm, ...ours]).toEqual([task.comm, ...said]);
    count += said.length;
  }
  return count;
}

/** Root and working directory, and the program. */
export function checkDirectories(kernel: Kernel, truth: Truth): void {
  for (const task of recorded(kernel, truth)) {
    const said = links(truth.files.read(`proc/${task.pid}/links`)).sort();
    if (said.length === 0) continue;
    const place = directories(kernel, task.address);
    const program = filePath(kernel, kernel.types.struct("mm_struct").field("exe_file").pointer(task.mm));
    expect([`cwd ${place?.cwd.path}`, `exe ${program}`, `root ${place?.root.path}`]).toEqual(said);
  }
}

/** The mounts of pid 1 in the order of /proc/mounts. */
export function checkMounts(kernel: Kernel, truth: Truth): void {
  const init = taskTable(kernel).byPid.get(1);
  if (init === undefined) return;
  const { mounts, notes } = mountTable(kernel, init.address);
  expect(notes).toEqual([]);
  const ours = mounts.filter(({ reachable }) => reachable).map(({ device, directory, type }) => `${device} ${directory} ${type}`);
  expect(ours).toEqual(truth.mounts().map(({ device, path, type }) => `${device} ${path} ${type}`));
}

/**
 * Where the guest program of the case `views` says that its pages are (LABVIEW memory): frames, slots of swap areas, nowhere; read through
 * the process's page tables. Returns how many pages were compared.
 */
export function checkPagePlaces(kernel: Kernel, truth: Truth): number {
  const lines = (truth.files.read("views") ?? "").split("\n");
  const pid = lines.map((line) => /^LABVIEW process \S+ \S+ pid=(\d+)/.exec(line)?.[1]).find((found) => found !== undefined);
  const task = pid === undefined ? undefined : taskTable(kernel).byPid.get(Number(pid));
  if (task === undefined) return 0;
  const pages = new UserPages(kernel, task.mm);
  let count = 0;
  for (const line of lines) {
    const found = /^LABVIEW memory (\S+) ([0-9a-f]+) .*\bpfns=(\S+)/.exec(line);
    if (found === null) continue;
    const start = virtual(BigInt(`0x${found[2]}`));
    const said = (found[3] ?? "").split(",");
    const ours = said.map((_, i) => {
      const address = add(start, i * kernel.arch.pageSize);
      const { physical, swap } = pages.place(address, findVma(kernel, task.mm, address));
      if (physical !== undefined) return String(physical >> BigInt(kernel.arch.pageShift));
      return swap === undefined ? "-" : `swap:${swap.type}:${swap.offset}`;
    });
    expect([found[1], ...ours]).toEqual([found[1], ...said]);
    count += said.length;
  }
  return count;
}
