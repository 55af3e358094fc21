/** dev, blk and sbitmapq against what the guests printed before they died, on every cached case with such words. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cachedCases, dumpNamed } from "../../lab/case-record.ts";
import { type Truth, truthOf } from "../../lab/truth.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { isWrite, readBlockQueue } from "../../src/linux/block-request.ts";
import { blockMajors, charMajors } from "../../src/linux/char-device.ts";
import { diskTable } from "../../src/linux/disk.ts";
import { resourceTree } from "../../src/linux/resource.ts";

const cases = cachedCases().filter(({ id, scenario }) => ["null", "views"].includes(scenario) && !/plain|debug|nosyms|up-/.test(id));

/** Rows of a recorded file; undefined when the guest did not print it. */
function rows(truth: Truth, path: string): string[] | undefined {
  try {
    return truth
      .text(path)
      .split("\n")
      .filter((line) => line.trim() !== "");
  } catch {
    return undefined;
  }
}

describe.each(cases.map((lab) => [lab.id, lab] as const))("%s", (_id, lab) => {
  let kernel: Kernel;
  const truth = truthOf(lab);
  beforeAll(async () => {
    kernel = await openKernel([...dumpNamed(lab, lab.dumps[0]?.name ?? "elf").files]);
  });
  afterAll(() => kernel.dump.close());

  test.each(["iomem", "ioports"])("the tree of %s", (name) => {
    const told = rows(truth, `proc/${name}`);
    const root = kernel.tryAddress(name === "iomem" ? "iomem_resource" : "ioport_resource");
    if (told === undefined || root === undefined) return;
    const { resources, notes } = resourceTree(kernel, root);
    const digits = (resources[0]?.end ?? 0n) < 0x10000n ? 4 : 8;
    expect(notes).toEqual([]);
    const hex = (value: bigint) => value.toString(16).padStart(digits, "0");
    // The file ends at the fifth level.
    const own = resources
      .filter(({ depth }) => depth > 0)
      .map(
        ({ start, end, name: what, depth }) =>
          `${"  ".repeat(Math.min(depth, 5) - 1)}${hex(start)}-${hex(end)} : ${what === "" ? "<BAD>" : what}`,
      );
    // Ports are claimed and freed while the guest runs its scripts; memory is not.
    if (name === "iomem") expect(own).toEqual(told);
    else for (const line of told.filter((each) => !/rtc|fw_cfg/.test(each))) expect(own).toContain(line);
  });

  test("majors", () => {
    const told = rows(truth, "proc/devices");
    if (told === undefined || kernel.tryAddress("chrdevs") === undefined) return;
    const blocks = told.indexOf("Block devices:");
    const parse = (lines: readonly string[]) => lines.map((line) => line.trim().replace(/\s+/, " ")).sort();
    const { majors: characters } = charMajors(kernel);
    const { majors } = blockMajors(kernel);
    const names = (each: readonly { readonly major: number; readonly name: string }[]) =>
      each.map(({ major, name }) => `${major} ${name}`).sort();
    expect(names(characters)).toEqual(expect.arrayContaining(parse(told.slice(1, blocks))));
    expect(names(majors)).toEqual(expect.arrayContaining(parse(told.slice(blocks + 1))));
  });

  test("disks, partitions and their sizes", () => {
    const told = rows(truth, "proc/partitions");
    if (told === undefined) return;
    const { disks, notes } = diskTable(kernel);
    const seen = new Map<string, string>();
    for (const disk of disks) {
      seen.set(disk.name, `${disk.major} ${disk.minor} ${Math.floor(disk.sectors / 2)}`);
      for (const { name, sectors } of disk.partitions) seen.set(name, String(Math.floor(sectors / 2)));
    }
    // A kernel that names no class of block devices shows those that were opened.
    const whole = notes.length === 0;
    for (const line of told.slice(1)) {
      const [major, minor, blocks, name] = line.trim().split(/\s+/) as [string, string, string, string];
      if (!whole && !seen.has(name)) continue;
      expect(seen.get(name), name).toBe(disks.some((disk) => disk.name === name) ? `${major} ${minor} ${blocks}` : blocks);
    }
  });

  test("requests in flight", () => {
    const { disks } = diskTable(kernel);
    for (const disk of disks) {
      const told = rows(truth, `sys/block/${disk.name}/inflight`)?.[0]?.trim().split(/\s+/).map(Number);
      if (told === undefined) continue;
      const given = readBlockQueue(kernel, disk.queue).requests.filter(({ state }) => state === "in flight");
      const writes = given.filter(isWrite).length;
      expect([given.length - writes, writes], disk.name).toEqual(told);
      for (const { bytes, sector, operation } of given) {
        expect(bytes, disk.name).toBe(4096);
        expect(operation === "WRITE" ? [4000] : [800, 1600, 2400]).toContain(sector);
      }
    }
  });
});
