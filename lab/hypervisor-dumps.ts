/**
 * Dumps by the hypervisor: `dump-guest-memory` in every format this QEMU has, and the same memory in the containers of memory acquisition
 * tools.
 */
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DumpCompression, LabDump } from "./case-record.ts";
import { writeAvml1, writeAvml2, writeLime, writeRaw } from "./encoders/memory-containers.ts";
import { openRamImage } from "./encoders/ram-image.ts";
import { run } from "./process.ts";
import type { Guest } from "./qemu.ts";
import { reassemble } from "./reassemble.ts";

function supportedFormats(answer: unknown): string[] {
  const formats = (answer as { readonly formats?: readonly string[] }).formats ?? [];
  // "win-dmp" is for another system; kdump-raw-* exist from QEMU 8.2 on.
  return formats.filter((format) => format === "elf" || format.startsWith("kdump-"));
}

/** Save a stopped guest's memory, in the named formats or all of them. */
export async function saveHypervisorDumps(
  guest: Guest,
  dir: string,
  vmcoreinfo: boolean,
  wanted: readonly string[] | "all",
): Promise<LabDump[]> {
  const supported = supportedFormats(await guest.qmp.command("query-dump-guest-memory-capability"));
  const formats = wanted === "all" ? supported : supported.filter((format) => wanted.includes(format));
  const dumps: LabDump[] = [];
  for (const format of formats) {
    const raw = format.startsWith("kdump-raw-");
    const flattened = format.startsWith("kdump-") && !raw;
    const name = flattened ? `${format}-flat` : format;
    const path = join(dir, "dumps", name);
    await guest.qmp.command("dump-guest-memory", { paging: false, protocol: `file:${path}`, format }, 300_000);
    const compression = format === "elf" ? "none" : (format.replace(/^kdump-(raw-)?/, "") as DumpCompression);
    dumps.push({
      name,
      files: [`dumps/${name}`],
      format: format === "elf" ? "elf" : "kdump",
      compression,
      flattened,
      by: "hypervisor",
      vmcoreinfo,
    });
  }
  return dumps;
}

/** Flattened streams turned into plain files, in their place. */
export async function plainDumps(dir: string, dumps: readonly LabDump[]): Promise<LabDump[]> {
  const plain: LabDump[] = [];
  for (const dump of dumps) {
    const name = dump.name.replace(/-flat$/, "");
    plain.push({ ...dump, name, files: [`dumps/${name}`], flattened: false });
    if (!dump.flattened) continue;
    await reassemble(join(dir, dump.files[0]!), join(dir, "dumps", name));
    rmSync(join(dir, dump.files[0]!));
  }
  return plain;
}

/** Derive the other containers, and plain files from the flattened streams. */
export async function deriveDumps(dir: string, dumps: readonly LabDump[]): Promise<LabDump[]> {
  const derived: LabDump[] = [];
  for (const dump of dumps.filter((candidate) => candidate.flattened)) {
    const name = dump.name.replace(/-flat$/, "");
    await reassemble(join(dir, dump.files[0]!), join(dir, "dumps", name));
    derived.push({ ...dump, name, files: [`dumps/${name}`], flattened: false });
  }
  const image = openRamImage(join(dir, "dumps/elf"));
  const memory = (name: string, format: LabDump["format"], compression: DumpCompression, address?: number): LabDump => ({
    name,
    files: [`dumps/${name}`],
    format,
    compression,
    flattened: false,
    by: "lab",
    // The note lies in the ELF headers, but its text is also in the guest's memory.
    vmcoreinfo: false,
    ...(address === undefined ? {} : { address }),
  });
  try {
    derived.push(memory("raw", "raw", "none", writeRaw(image, join(dir, "dumps/raw"))));
    writeLime(image, join(dir, "dumps/lime"));
    writeAvml1(image, join(dir, "dumps/avml1"));
    writeAvml2(image, join(dir, "dumps/avml2"));
  } finally {
    image.close();
  }
  return [...derived, memory("lime", "lime", "none"), memory("avml1", "avml", "none"), memory("avml2", "avml", "snappy-framed")];
}

/** Give back the disk that zero blocks of a large file take. */
export async function digHoles(path: string): Promise<void> {
  if (statSync(path).size > 1 << 24) await run("fallocate", ["--dig-holes", path], { allowFailure: true });
}
