/**
 * Dumps by real kdump: what the crash kernel is told to make, and how each disk it wrote becomes files. One boot makes all of them:
 * makedumpfile runs once per output on the same /proc/vmcore.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { DumpCompression, LabDump } from "./case-record.ts";
import { elfLength } from "./encoders/elf-length.ts";
import { flattenedLength } from "./encoders/flattened.ts";
import { recompressKdump } from "./encoders/kdump-recompress.ts";
import type { KdumpOutput, KdumpPlan } from "./initramfs.ts";
import { isRolling, type Kernel } from "./kernels.ts";
import { run } from "./process.ts";
import { reassemble } from "./reassemble.ts";

interface Output extends KdumpOutput {
  readonly format: "kdump" | "elf";
  readonly compression: DumpCompression;
  readonly level?: number;
}

const makedumpfile = (name: string, how: "flat" | "split", compression: DumpCompression, level: number, flags: string): Output => ({
  serial: name,
  how,
  arguments: `-d ${level} ${flags}`.trim(),
  format: flags === "-E" ? "elf" : "kdump",
  compression,
  level,
});

/** The usual formats; the first is the one a distribution would make. */
const USUAL: readonly Output[] = [
  makedumpfile("zstd-d31", "flat", "zstd", 31, "-z"),
  makedumpfile("zlib-d31", "flat", "zlib", 31, "-c"),
  makedumpfile("lzo-d31", "flat", "lzo", 31, "-l"),
];

const EVERY: readonly Output[] = [
  ...USUAL,
  makedumpfile("none-d31", "flat", "none", 31, ""),
  makedumpfile("elf-d31", "flat", "none", 31, "-E"),
  makedumpfile("lzo-d1", "flat", "lzo", 1, "-l"),
  makedumpfile("lzo-d0", "flat", "lzo", 0, "-l"),
  makedumpfile("split-d31", "split", "lzo", 31, "-l"),
];

const COPY: Output = { serial: "vmcore", how: "copy", arguments: "", format: "elf", compression: "none" };

/** Kernels whose page tables makedumpfile refuses (52-bit virtual addresses with 4k pages): /proc/vmcore is copied as it is. */
function refusedByMakedumpfile(kernel: Kernel): boolean {
  return kernel.arch === "arm64" && kernel.flavour.startsWith("cloud") && kernel.suite !== "bullseye" && kernel.suite !== "bookworm";
}

/**
 * Level 31 without user pages' bit: for kernels that makedumpfile does not know yet. With it 1.7.8 leaves out the second page of each of
 * the kernel's larger slabs on 7.2 (src/linux/slab-left-out.ts).
 */
const CAREFUL: readonly Output[] = [makedumpfile("zstd-d23", "flat", "zstd", 23, "-z"), makedumpfile("lzo-d23", "flat", "lzo", 23, "-l")];

/** The outputs for a kernel. */
export function kdumpOutputs(kernel: Kernel, every: boolean): readonly Output[] {
  if (refusedByMakedumpfile(kernel)) return [COPY];
  if (isRolling(kernel)) return [...CAREFUL, COPY];
  return every ? [...EVERY, COPY] : USUAL;
}

/** The plan handed to the guest. */
export function kdumpPlan(kernel: Kernel, outputs: readonly KdumpOutput[]): KdumpPlan {
  const tty = kernel.arch === "amd64" ? "ttyS0" : "ttyAMA0";
  const irqs = kernel.arch === "amd64" ? " irqpoll" : "";
  return { outputs, crashAppend: `console=${tty} reset_devices${irqs} nr_cpus=1 panic=0` };
}

async function collectFlat(output: Output, disk: string, dir: string): Promise<LabDump[]> {
  const length = flattenedLength(disk);
  if (length === undefined) throw new Error(`makedumpfile left no complete stream for ${output.serial}`);
  const flat = `dumps/${output.serial}-flat`;
  truncateSync(disk, length);
  renameSync(disk, join(dir, flat));
  await reassemble(join(dir, flat), join(dir, "dumps", output.serial));
  const common = {
    format: output.format,
    compression: output.compression,
    level: output.level!,
    by: "makedumpfile",
    vmcoreinfo: true,
  } as const;
  return [
    { name: output.serial, files: [`dumps/${output.serial}`], flattened: false, ...common },
    { name: `${output.serial}-flat`, files: [flat], flattened: true, ...common },
  ];
}

async function collectSplit(output: Output, disk: string, dir: string): Promise<LabDump[]> {
  const into = join(dir, "dumps", output.serial);
  mkdirSync(into, { recursive: true });
  await run("tar", ["-x", "-f", disk, "-C", into]);
  rmSync(disk);
  const files = readdirSync(into)
    .sort()
    .map((name) => `dumps/${output.serial}/${name}`);
  if (files.length !== 3) throw new Error(`a split dump of ${files.length} parts`);
  const { format, compression, level } = output;
  return [{ name: output.serial, files, format, compression, level: level!, flattened: false, by: "makedumpfile", vmcoreinfo: true }];
}

function collectCopy(output: Output, disk: string, dir: string): LabDump[] {
  truncateSync(disk, elfLength(disk));
  const file = `dumps/${output.serial}`;
  renameSync(disk, join(dir, file));
  return [{ name: output.serial, files: [file], format: "elf", compression: "none", flattened: false, by: "kernel", vmcoreinfo: true }];
}

/** Turn the disks the crash kernel wrote into the case's dumps. */
export async function collectKdumpOutputs(outputs: readonly Output[], disks: string, dir: string): Promise<LabDump[]> {
  const dumps: LabDump[] = [];
  for (const output of outputs) {
    const disk = join(disks, output.serial);
    if (output.how === "flat") dumps.push(...(await collectFlat(output, disk, dir)));
    else if (output.how === "split") dumps.push(...(await collectSplit(output, disk, dir)));
    else dumps.push(...collectCopy(output, disk, dir));
  }
  // Debian builds makedumpfile without Snappy.
  const plain = dumps.find((dump) => dump.name === "none-d31");
  if (plain !== undefined) {
    recompressKdump(join(dir, plain.files[0]!), join(dir, "dumps/snappy-d31"));
    dumps.push({ ...plain, name: "snappy-d31", files: ["dumps/snappy-d31"], compression: "snappy", by: "lab" });
  }
  return dumps;
}
