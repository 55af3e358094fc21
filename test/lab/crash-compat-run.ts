/**
 * Runs the same command lines in crash and in Inquest on one dump, each in one session, and cuts the output up line by line. A marker
 * (`!echo`) before every line tells where an answer begins; errors go into the same stream as the answers.
 */
import { spawnSync } from "node:child_process";
import { cacheDir } from "../../lab/paths.ts";
import { type Peers, runPeer } from "../../lab/peers.ts";
import { physical, virtual } from "../../src/bytes/address.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { readBlockQueue } from "../../src/linux/block-request.ts";
import { freeAreas, freeBlocks } from "../../src/linux/buddy.ts";
import { diskTable } from "../../src/linux/disk.ts";
import { fileDescriptors, filePlace } from "../../src/linux/file.ts";
import { mountTable } from "../../src/linux/mount.ts";
import { PageMap } from "../../src/linux/page.ts";
import { Slabs } from "../../src/linux/slab.ts";
import { findSlabCaches } from "../../src/linux/slab-caches.ts";
import { slabStates } from "../../src/linux/slab-state.ts";
import { SlubCache } from "../../src/linux/slub.ts";
import { taskTable } from "../../src/linux/task.ts";
import { findVma } from "../../src/linux/vma.ts";
import { vmallocAreas } from "../../src/linux/vmalloc.ts";
import { memoryNodes } from "../../src/linux/zone.ts";
import { StackMap } from "../../src/stack/stack-map.ts";
import { taskStack } from "../../src/stack/task-stack.ts";
import { unwindTask } from "../../src/stack/unwind.ts";

const MARK = "=====line";
const TIMEOUT_MS = 900_000;

/** What `{name}` stands for in a command line: values of this dump; anything else is a symbol's address, `{symbol+8}` beyond it. */
export function fillPlaces(kernel: Kernel): (line: string) => string {
  const hex = (value: bigint) => BigInt.asUintN(64, value).toString(16).padStart(16, "0");
  const table = taskTable(kernel);
  const cat = [...table.tasks].find((task) => task.comm === "cat");
  if (cat === undefined) throw new Error("no task called cat in the dump");
  const struct = kernel.types.struct("task_struct");
  const mm = struct.field("mm").pointer(cat.address);
  const code = kernel.types.struct("mm_struct").field("start_code").pointer(mm);
  const frames = unwindTask(kernel, cat.address).frames;
  const caller = frames[3] ?? frames[0];
  const module = kernel.modules.find((candidate) => candidate.name === "lab_fault");
  const program = filePlace(kernel, kernel.types.struct("mm_struct").field("exe_file").pointer(mm));
  const mounts = mountTable(kernel, cat.address).mounts;
  const zone = memoryNodes(kernel).nodes[0]?.zones[0];
  const list =
    zone === undefined
      ? undefined
      : freeAreas(kernel, zone)
          .at(-1)
          ?.lists.find((each) => [...freeBlocks(kernel, each)].length > 0);
  const block = list === undefined ? 0n : ([...freeBlocks(kernel, list)][0] ?? 0n);
  const blockFrame = BigInt(PageMap.of(kernel)?.pfnOf(virtual(block)) ?? 0) * BigInt(kernel.arch.pageSize);
  const known = new Map<string, bigint | string>([
    ["sbitmap", diskTable(kernel).disks.flatMap(({ queue }) => readBlockQueue(kernel, queue).hardwareQueues)[0]?.tagBitmap ?? 0n],
    ["free.page", block],
    ["free.physical", blockFrame],
    ["free.inside", blockFrame + 2n * BigInt(kernel.arch.pageSize)],
    ["object.cpu", freeObject(kernel, "cpu ")],
    ["object.slab", freeObject(kernel, "slab freelist")],
    ["runqueues.0", kernel.perCpuAddress(kernel.address("runqueues"), 0)],
    [
      "irqstack.0",
      (StackMap.of(kernel)
        .ofCpu(0)
        .find(({ kind }) => kind === "irq")?.start ?? 0n) + 0x3f00n,
    ],
    ["cat.guard", taskStack(kernel, cat.address).end + 8n],
    ["cat.pid.hex", cat.pid.toString(16)],
    ["user.stack", kernel.types.struct("mm_struct").field("start_stack").pointer(mm)],
    ["free.linear", kernel.arch.toLinear(physical(blockFrame)) ?? 0n],
    ["vmalloc", vmallocAreas(kernel).busy[0]?.start ?? 0n],
    ["cat", cat.address],
    ["cat.pid", String(cat.pid)],
    ["cat.cache", Slabs.of(kernel)?.slabOf(cat.address)?.cache.address ?? 0n],
    ["cat.tasks", struct.field("tasks").address(cat.address)],
    ["cat.mm", mm],
    ["cat.sp", frames[1]?.sp ?? 0n],
    ["cat.pc", caller?.pc ?? 0n],
    ["cat.fn", caller?.function ?? ""],
    ["user", code],
    ["cat.vma", findVma(kernel, mm, code)?.address ?? 0n],
    ["cat.inode", program.inode],
    ["cat.dentry", program.dentry],
    ["cat.pgd", kernel.types.struct("mm_struct").field("pgd").pointer(mm)],
    ["cat.file", [...fileDescriptors(kernel, cat.address)][0]?.file ?? 0n],
    [
      "cat.page",
      kernel.arch.pageTables(kernel.memory.translate(kernel.types.struct("mm_struct").field("pgd").pointer(mm))).translate(code),
    ],
    ["tmp.superblock", mounts.find(({ directory }) => directory === "/tmp")?.superblock ?? 0n],
    ["tmp.mount", mounts.find(({ directory }) => directory === "/tmp")?.address ?? 0n],
    ["phys", kernel.memory.translate(kernel.address("linux_banner"))],
    ["page", PageMap.of(kernel)?.pageOf(Number(kernel.memory.translate(mm) / BigInt(kernel.arch.pageSize))) ?? 0n],
    ["kthreadd.pid", "2"],
    ["kthreadd", [...table.tasks].find((task) => task.pid === 2)?.address ?? 0n],
    ["module", module?.address ?? 0n],
    ["modules.next", kernel.memory.u64(kernel.address("modules"))],
  ]);
  return (line) =>
    line.replace(/\{([a-z_][\w.]*)(?:\+(\d+))?\}/gi, (_whole, name: string, more: string | undefined) => {
      const value = known.get(name) ?? kernel.address(name);
      return typeof value === "string" ? value : hex(value + BigInt(more ?? 0));
    });
}

/** A free object of a cache that every kernel has, by where it waits. */
function freeObject(kernel: Kernel, where: string): bigint {
  for (const name of ["kmalloc-64", "kmalloc-32", "kmalloc-128", "dentry", "vm_area_struct", "filp"]) {
    const [cache] = findSlabCaches(kernel, name);
    const parts = cache === undefined ? undefined : SlubCache.of(kernel, cache);
    const pages = [
      ...(parts?.cpus.flatMap(({ slab, partial }) => [slab, ...partial]) ?? []),
      ...(parts?.nodes.flatMap(({ partial }) => partial) ?? []),
    ];
    for (const page of pages) {
      const slab = page === 0n ? undefined : Slabs.of(kernel)?.slabAt(page);
      const states = slab === undefined ? undefined : slabStates(kernel, slab);
      for (let index = 0; slab !== undefined && states !== undefined && index < slab.objects; index++) {
        const { state, where: place } = states.state(index);
        if (state === "free" && place?.startsWith(where) === true) return slab.start + BigInt(index * slab.cache.stride);
      }
    }
  }
  return 0n;
}

function script(lines: readonly string[]): string {
  return `${lines.map((line, index) => `!echo ${MARK} ${index}\n${line}\n`).join("")}!echo ${MARK} ${lines.length}\nquit\n`;
}

function cut(output: string, count: number): string[] {
  const answers: string[] = [];
  for (let index = 0; index < count; index++) {
    const start = output.indexOf(`${MARK} ${index}\n`);
    const end = output.indexOf(`${MARK} ${index + 1}\n`);
    if (start < 0 || end < 0) throw new Error(`the session ended at line ${index}:\n${output.slice(-2000)}`);
    answers.push(output.slice(start + `${MARK} ${index}\n`.length, end));
  }
  return answers;
}

/** crash's answers to the lines. */
export async function askCrash(peers: Peers, vmlinux: string, dump: string, lines: readonly string[]): Promise<readonly string[]> {
  const command = ["sh", "-c", 'exec crash -s "$1" "$2" 2>&1', "sh", vmlinux, dump];
  const { stdout } = await runPeer(peers, command, { see: [cacheDir()], input: script(lines), timeoutMs: TIMEOUT_MS });
  return cut(stdout.toString(), lines.length);
}

/** Inquest's answers to the lines. @param program the command-line program; @param vmlinux to open the dump with, if any */
export function askInquest(program: string, dump: string, lines: readonly string[], vmlinux?: string): readonly string[] {
  const command = 'exec "$@" 2>&1';
  const files = vmlinux === undefined ? [dump] : [dump, vmlinux];
  const { stdout } = spawnSync("sh", ["-c", command, "sh", program, "-s", "--no-rc", ...files], {
    input: script(lines),
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    maxBuffer: 1 << 28,
  });
  return cut(stdout, lines.length);
}
