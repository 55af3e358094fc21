/**
 * Debug files of real kernels: modules relocated as the linker does it, in every packing; modules in the dump known by their build-ids; a
 * vmlinux found, compressed and split in two, the same bytes each time; its symbols as nm lists them.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cachedCases } from "../../lab/case-record.ts";
import { openFile } from "../../src/bytes/file-source.ts";
import { openPacked } from "../../src/bytes/packed-file.ts";
import { prepareZstd } from "../../src/bytes/zstd.ts";
import { DebugFile } from "../../src/debug-info/debug-file.ts";
import { debugDirectories, moduleOfFile } from "../../src/debug-info/debug-file-paths.ts";
import type { DebugSections } from "../../src/debug-info/debug-sections.ts";
import { kernelIdentity } from "../../src/kernel/kernel-identity.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { findVmlinux, openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { moduleBuildId, moduleSectionAddresses } from "../../src/linux/module-identity.ts";
import { linkModule, run, toolsFor } from "../support/link-module.ts";

const all = cachedCases();
/** One case of each kernel. */
const cases = all.filter((made, index) => all.findIndex((other) => other.release === made.release) === index);
const withVmlinux = cases.filter(({ vmlinux }) => vmlinux !== undefined && existsSync(vmlinux));

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "inquest-lab-debug-"));
  await prepareZstd();
});
afterAll(() => rmSync(directory, { recursive: true }));

const STEP = 1 << 20;

/** The first section whose bytes differ. */
function difference(names: readonly string[], ours: DebugSections, theirs: DebugSections): string | undefined {
  for (const name of names) {
    const [mine, other] = [ours.section(name), theirs.section(name)];
    if (mine === undefined && other === undefined) continue;
    if (mine === undefined || other === undefined || mine.size !== other.size) return `${name}: ${mine?.size} against ${other?.size} bytes`;
    for (let at = 0; at < mine.size; at += STEP) {
      const length = Math.min(STEP, mine.size - at);
      if (Buffer.compare(mine.read(at, length), other.read(at, length)) !== 0) return `${name} at 0x${at.toString(16)}`;
    }
  }
  return undefined;
}

describe.each(cases.map((made) => [made.release, made] as const))("%s: modules", (_, made) => {
  const tools = toolsFor(made.arch);

  test.skipIf(tools === undefined)("are relocated as the linker does it, however they are packed", () => {
    if (tools === undefined) return;
    const own = readdirSync(made.modulesDir).filter((name) => name.endsWith(".ko"));
    expect(own.length).toBeGreaterThan(0);
    for (const name of own) {
      const ko = join(made.modulesDir, name);
      const { addresses, sections, linked } = linkModule(ko, tools, directory);
      expect(sections).toContain(".debug_info");
      const forms = [ko];
      for (const form of ["zlib", "zstd", "zlib-gnu"]) {
        const path = join(directory, `${form}.ko`);
        const made = spawnSync(tools.objcopy, [`--compress-debug-sections=${form}`, ko, path]);
        if (made.status === 0) forms.push(path);
      }
      writeFileSync(join(directory, "m.ko.gz"), gzipSync(readFileSync(ko)));
      forms.push(join(directory, "m.ko.gz"));
      if (spawnSync("xz", ["-kf", "--check=crc32", join(directory, "zlib.ko")]).status === 0) forms.push(join(directory, "zlib.ko.xz"));
      for (const path of forms) {
        expect(difference(sections, DebugFile.open(openPacked(path), { addresses }), linked), `${name} as ${path}`).toBeUndefined();
      }
    }
  });

  test("in the dump have the build-ids and the sections of their files", async () => {
    const kernel = await openKernel(made.dumps[0]?.files ?? []);
    const files = new Map(readdirSync(made.modulesDir).map((name) => [moduleOfFile(name), join(made.modulesDir, name)]));
    const loaded = kernel.modules.filter(({ name }) => files.has(name));
    expect(loaded.length).toBeGreaterThan(0);
    for (const module of loaded) {
      const file = DebugFile.open(openPacked(files.get(module.name) as string));
      expect(moduleBuildId(kernel, module)).toBe(file.buildId);
      const addresses = moduleSectionAddresses(kernel, module);
      for (const { name, flags, size } of file.elf.sections) {
        // What the loader itself reads and drops.
        if ((flags & 2) === 0 || size === 0 || /^(\.modinfo|__versions|\.gnu\.linkonce\.this_module)/.test(name)) continue;
        expect(addresses.has(name), `${module.name} ${name}`).toBe(true);
      }
    }
    kernel.dump.close();
  });
});

describe.each(withVmlinux.map((made) => [made.release, made] as const))("%s: vmlinux", (_, made) => {
  const path = made.vmlinux as string;
  const NAMES = ["info", "abbrev", "str", "line", "line_str", "frame", "loc", "loclists", "ranges", "rnglists", "aranges"].map(
    (name) => `.debug_${name}`,
  );

  test("is the dump's by build-id and by banner, and is found", async () => {
    const kernel = await openKernel(made.dumps[0]?.files ?? []);
    const identity = kernelIdentity(kernel);
    const vmlinux = await openVmlinux(path);
    expect(identity.buildId).toBe(vmlinux.buildId);
    expect(identity.banner).toBe(vmlinux.banner);
    kernel.dump.close();
    const root = /^(.*)\/usr\/lib\/debug\//.exec(path)?.[1];
    if (root === undefined) return;
    const found = await findVmlinux({
      release: made.release,
      buildId: vmlinux.buildId as string,
      directories: debugDirectories([root], []),
    });
    expect(found?.path).toBe(path);
  });

  test("lists the symbols that nm lists, in its order", async () => {
    const { stdout, status } = spawnSync("nm", ["-n", "--defined-only", path], { encoding: "utf8", maxBuffer: 1 << 28 });
    if (status !== 0) return;
    const symbols = (await openVmlinux(path)).symbols;
    const theirs = new Map<string, number>();
    for (const line of stdout.split("\n")) {
      // Absolute ones are left out: their values are no addresses.
      const found = /^([0-9a-f]{16}) [^aA] (.+)$/.exec(line);
      // Marks between code and data on arm64: some builds of nm leave them out.
      if (found !== null && !found[2]?.startsWith("$"))
        theirs.set(`${found[1]} ${found[2]}`, (theirs.get(`${found[1]} ${found[2]}`) ?? 0) + 1);
    }
    let last = 0n;
    let missing = 0;
    let descents = 0;
    for (let i = 0; i < (symbols?.count ?? 0); i++) {
      const { address, name } = symbols?.at(i) ?? { address: 0n, name: "" };
      if (name.startsWith("$")) continue;
      if (address < last) descents++;
      last = address;
      if (!theirs.delete(`${address.toString(16).padStart(16, "0")} ${name}`) && symbols?.allByName(name).length === 1) missing++;
    }
    expect(descents).toBe(0);
    expect(missing).toBe(0);
    expect([...theirs.keys()]).toEqual([]);
  });

  test("gives the same bytes when it is packed or in two files", () => {
    const tools = toolsFor(made.arch);
    // Some hundred megabytes to pack: one kernel is enough.
    if (tools === undefined || withVmlinux[0] !== made) return;
    const whole = DebugFile.open(openFile(path));
    const packed = join(directory, "packed");
    run(tools.objcopy, "--compress-debug-sections=zlib", path, packed);
    expect(difference(NAMES, DebugFile.open(openFile(packed)), whole)).toBeUndefined();
    rmSync(packed, { force: true });
    run(tools.objcopy, "--only-keep-debug", path, join(directory, "vmlinux.dbg"));
    run(tools.objcopy, "--strip-all", `--add-gnu-debuglink=${join(directory, "vmlinux.dbg")}`, path, join(directory, "vmlinux"));
    const stripped = DebugFile.open(openFile(join(directory, "vmlinux")));
    expect(stripped.file).toBe(join(directory, "vmlinux.dbg"));
    expect(difference(NAMES, stripped, whole)).toBeUndefined();
    for (const name of ["vmlinux", "vmlinux.dbg"]) rmSync(join(directory, name));
  });
});
