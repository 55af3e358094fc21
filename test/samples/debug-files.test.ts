/** A vmlinux beside a real dump: what is taken, refused, found and fetched. The files are made here: no package is needed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ascii,
  type BuiltElf,
  type BuiltSection,
  buildElfFile,
  buildIdSection,
  symbolSections,
} from "../../src/debug-info/testing/build-elf-file.ts";
import { cachedDebugInfo, downloadDebugInfo } from "../../src/faces/cli/debuginfod.ts";
import { kernelIdentity } from "../../src/kernel/kernel-identity.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { type OpenDumpOptions, openWithDebugInfo } from "../../src/library/open-dump.ts";
import { sortFiles } from "../../src/library/sort-files.ts";
import { type Sample, samples } from "./samples.ts";

const BASE = 0xffff_ffff_8100_0000n;
const sample = samples.find(({ name }) => name === "x86-64-null-pointer") as Sample;
let directory: string;
let id: readonly number[];
let idText: string;
let banner: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "inquest-debug-files-"));
  const kernel = await openKernel([sample.vmcore]);
  const identity = kernelIdentity(kernel);
  idText = identity.buildId as string;
  id = idText.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  banner = identity.banner as string;
  kernel.dump.close();
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, sections: readonly BuiltSection[], more: Partial<BuiltElf> = {}): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, buildElfFile({ sections, load: ".text", ...more }));
  return path;
}

const text = (line: string): BuiltSection => ({ name: ".text", flags: 6, address: BASE, content: ascii(`${line}\n\0`) });
const info: BuiltSection = { name: ".debug_info", content: new Uint8Array(8) };
const symbols = (line: string) =>
  symbolSections([{ name: "linux_banner", value: BASE, section: ".text", size: line.length + 2 }], [".text"]);

async function open(files: readonly string[], more: OpenDumpOptions = {}) {
  const opened = await openWithDebugInfo(sortFiles([sample.vmcore, ...files]), { search: false, ...more });
  opened.kernel.dump.close();
  return opened;
}

describe("a vmlinux that is given", () => {
  test("of the dump's build: by build-id, or by its banner where it has none", async () => {
    const whole = write("whole", [text(banner), buildIdSection(id), info]);
    expect(await open([whole])).toMatchObject({ namelist: whole, remarks: [] });
    const named = write("named", [text(banner), ...symbols(banner), info]);
    expect(await open([named])).toMatchObject({ namelist: named, remarks: [] });
    const stripped = write("stripped", [text(banner), buildIdSection(id)]);
    expect((await open([stripped])).remarks).toEqual([`${stripped} is stripped: it has neither debug information nor symbols`]);
    const silent = write("silent", [text("nothing"), info]);
    expect((await open([silent])).remarks[0]).toContain("whether it belongs to the dump cannot be told");
  });

  test("of another build: one line with both build-ids and both banners; or forced, and said so", async () => {
    const line = "Linux version 9.9.9 (them)";
    const other = write("other", [text(line), buildIdSection([1, 2, 3, 4]), ...symbols(line), info]);
    const failure = await open([other]).catch((error: Error) => error.message);
    expect(failure).toBe(
      `${other} does not belong to this dump: build-id 01020304 against ${idText}; the file is "${line}", the dump is "${banner}". ` +
        "Leave it out to go on without it, or use it all the same with --force-vmlinux.",
    );
    const forced = await open([other], { forceVmlinux: true });
    expect(forced.namelist).toBe(other);
    expect(forced.remarks[0]).toContain("does not belong to this dump (--force-vmlinux)");
  });

  test("of another architecture, or no vmlinux at all", async () => {
    await expect(open([write("arm", [text("x")], { machine: 183 })])).rejects.toThrow(/arm is for arm64; the dump is of x86-64$/);
    await expect(open([write("ppc", [text("x")], { machine: 21 })])).rejects.toThrow(/ppc: is for ppc64; only/);
    const plain = join(directory, "plain");
    writeFileSync(plain, "no program at all");
    await expect(open([plain])).rejects.toThrow('plain: this is a text file, not a dump: it begins with "no program at all"');
    const module = await open([write("tun.ko", [text("x")], { type: 1 })]);
    expect(module.remarks).toEqual([`${join(directory, "tun.ko")} is not used: no module named tun is loaded`]);
    const foreign = write("lab_fault.ko", [text("x"), buildIdSection([9]), info], { type: 1 });
    expect((await open([foreign])).remarks[0]).toMatch(
      /of another build of module lab_fault: build-id 09 against [0-9a-f]{40}; it is not used$/,
    );
  });
});

describe("a vmlinux that is looked for", () => {
  test("is taken when its build-id is the dump's and it has debug information; another one in a directory that was named is told", async () => {
    const root = join(directory, "root");
    const place = `root/usr/lib/debug/boot/vmlinux-${sample.release}`;
    const options = { search: true, debugDirectories: [root] };
    expect(await open([], options)).toMatchObject({ namelist: undefined, remarks: [] });
    const other = write(place, [text(banner), buildIdSection([1, 2, 3]), info]);
    expect(await open([], options)).toMatchObject({
      namelist: undefined,
      remarks: [expect.stringContaining(`${other} is not used: it is of another build: build-id 010203 against`)],
    });
    const path = write(place, [text(banner), buildIdSection(id), info]);
    expect(await open([], options)).toMatchObject({ namelist: path, remarks: [] });
    expect((await open([], { ...options, search: false })).namelist).toBeUndefined();
  });

  test("is fetched only when asked for; a server that has none does not end the session", async () => {
    const asked: (string | undefined)[] = [];
    const content = buildElfFile({ sections: [text(banner), buildIdSection(id), info], load: ".text" });
    let found = false;
    const server = createServer((request, response) => {
      asked.push(request.url);
      if (found) response.end(content);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const environment = {
      DEBUGINFOD_URLS: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      DEBUGINFOD_CACHE_PATH: join(directory, "cache"),
    };
    const cached = (buildId: string) => cachedDebugInfo(buildId, environment);
    const download = (buildId: string) => downloadDebugInfo(buildId, environment);
    try {
      expect((await open([], { server: { cached }, search: true })).namelist).toBeUndefined();
      expect(asked).toEqual([]);
      const failed = await open([], { server: { cached, download } });
      expect(failed.remarks[0]).toMatch(/^debuginfod: no debug file of build-id \w+: http:.*: has none; going on without$/);
      found = true;
      const fetched = await open([], { server: { cached, download } });
      expect(fetched.namelist).toBe(join(directory, "cache", idText, "debuginfo"));
      expect(asked).toEqual([`/buildid/${idText}/debuginfo`, `/buildid/${idText}/debuginfo`]);
      // From then on it is found without a server.
      expect((await open([], { server: { cached }, search: true })).namelist).toBe(fetched.namelist);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
