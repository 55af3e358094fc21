/**
 * The bundled program on the committed dumps, as a user starts it: the main job, redirections, a reader that leaves, dumps cut short,
 * files that are no dump. What concerns the program and not a dump is in test/cli.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { samples } from "./samples.ts";

const PROGRAM = "dist/test-samples/inquest.js";
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-samples-"));
  const built = spawnSync(process.execPath, ["scripts/bundle.mjs", PROGRAM], { encoding: "utf8" });
  expect(built.status).toBe(0);
});
afterAll(() => rmSync(directory, { recursive: true }));

const environment = () => ({ ...process.env, HOME: directory, TZ: "UTC" });

function inquest(...words: readonly string[]) {
  const options = { encoding: "utf8", env: environment(), input: "", maxBuffer: 1 << 28, timeout: 60_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], options);
  return { status, stdout, stderr };
}

function shell(line: string) {
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", line], { encoding: "utf8", env: environment(), timeout: 60_000 });
  return { status, stdout, stderr };
}

/** Lines for a person: each says who speaks; none is a stack of ours. */
function expectClear(stderr: string): void {
  for (const line of stderr.split("\n").filter(Boolean)) {
    expect(line).toMatch(/^(inquest|[a-z]+): .{10,}/);
    expect(line).not.toMatch(/internal error|undefined|NaN|\[object| at .*:\d+:\d+/);
  }
}

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (name, sample) => {
  const said = sample.truth.panic();

  test("says who died, of what, and where", () => {
    const run = inquest(sample.vmcore, "-c", "sys", "-c", "bt", "-c", "ps -A", "-c", "log | tail -n 3");
    expect(run.status).toBe(0);
    expectClear(run.stderr);
    expect(run.stdout).toContain(`RELEASE: ${sample.release}\n`);
    expect(run.stdout).toContain(`PANIC: "${said.reason === undefined ? said.headline : `Kernel panic - not syncing: ${said.reason}`}"`);
    expect(run.stdout).toMatch(new RegExp(`^PID: ${said.pid} .* CPU: ${said.cpu} .*COMMAND: "${said.comm}"$`, "m"));
    if (said.instruction !== undefined) expect(run.stdout).toMatch(new RegExp(`^ #0 \\[[0-9a-f]{16}\\] ${said.instruction.name} at `, "m"));
  });

  // What lies at the end of the file differs: types, the log, registers; nothing may hang, crash or be told wrongly.
  test.each([0.3, 0.7, 0.9, 0.99])("cut at %f of its length opens or says why not", async (part) => {
    const cut = join(directory, `${name}-${part}`);
    await copyFile(sample.vmcore, cut);
    truncateSync(cut, Math.floor(readFileSync(sample.vmcore).length * part));
    const run = inquest(cut, "-c", "sys", "-c", "bt", "-c", "ps", "-c", "log", "-c", "mod", "-c", "foreach bt", "-c", "rd -a init_uts_ns");
    rmSync(cut);
    expectClear(run.stderr);
    expect(run.stderr).toContain("the file ends ");
    if (run.stdout === "") {
      expect(run.status).toBe(1);
      expect(run.stderr).toMatch(/^inquest: [^\n]*\n$/);
    } else {
      expect(run.stdout).toContain("[INCOMPLETE]");
      expect(run.stdout).toContain(`RELEASE: ${sample.release}\n`);
      // A log or a list that cannot be read is not an empty one.
      expect(run.stdout).not.toContain("no panic in the log");
      expect(run.stdout).not.toContain("no modules are loaded");
    }
  });
});

describe("output", () => {
  const { vmcore } = samples[0] as (typeof samples)[number];

  test("goes to files and is added to them", () => {
    const file = join(directory, "out");
    const run = inquest(vmcore, "-c", `sym schedule > ${file}`, "-c", `sys -t >> ${file}`);
    expect(run).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\s*$/) });
    expect(readFileSync(file, "utf8")).toMatch(/^[0-9a-f]{16} \(T\) schedule\nTAINTED_MASK: /);
    expect(inquest(vmcore, "-c", `sym schedule > ${directory}/no/such/place`).status).toBe(1);
  });

  test("through a shell's pipe, as far as it is read", () => {
    expect(inquest(vmcore, "-c", "sym -l | head -n 2 | wc -l")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ *2\n$/) });
    const run = shell(`"${process.execPath}" ${PROGRAM} "${vmcore}" -c "sym -l" -c "foreach bt -f" | head -n 1`);
    expect(run.stdout.split("\n").length).toBe(2);
    expectClear(run.stderr);
    expect(run.stderr).not.toContain("EPIPE");
  });

  test("of a command for each line of a file", () => {
    const file = join(directory, "symbols");
    writeFileSync(file, "schedule\nvfs_read\n");
    const run = inquest(vmcore, "-c", `sym < ${file}`);
    expect(run.status).toBe(0);
    expect(run.stdout.match(/\(T\) \w+/g)).toEqual(["(T) schedule", "(T) vfs_read"]);
  });

  test("one JSON object a line, whatever the command prints", () => {
    const run = inquest(vmcore, "--json", "-c", "log", "-c", "bt -a", "-c", "rd nosuch", "-c", "sym -q vfs_");
    expect(run.status).toBe(1);
    const answers = run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { command: string; ok: boolean; error?: { kind: string; message: string } });
    expect(answers.map(({ command, ok }) => `${command} ${ok}`)).toEqual(["log true", "bt true", "rd false", "sym true"]);
    expect(answers[2]?.error).toMatchObject({ kind: "lookup", message: expect.stringContaining("nosuch") });
  });
});

describe("a file that is no dump", () => {
  /** An ELF64 header: type 2 is an executable, as vmlinux is. */
  function elf(type: number): Uint8Array {
    const header = new Uint8Array(4096);
    header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    const view = new DataView(header.buffer);
    view.setUint16(16, type, true);
    view.setUint16(18, 62, true);
    view.setUint32(20, 1, true);
    view.setBigUint64(32, 64n, true);
    view.setUint16(52, 64, true);
    view.setUint16(54, 56, true);
    return header;
  }

  const files: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ["gzip", gzipSync("x".repeat(10_000)), /gzip/],
    ["empty", "", /empty/],
    ["text", "Linux version 6.1.0\n".repeat(100), /text/],
    ["program", elf(2), /vmlinux|executable|program/],
    ["zeros", new Uint8Array(1 << 20), /./],
    ["kdump-magic", "KDUMP   ".padEnd(64, "\0"), /./],
  ];

  test.each(files)("%s", (name, content, word) => {
    const file = join(directory, `no-dump-${name}`);
    writeFileSync(file, content);
    const run = inquest(file, "-c", "sys");
    expect(run).toMatchObject({ status: 1, stdout: "" });
    expect(run.stderr).toMatch(/^inquest: [^\n]+\n$/);
    expectClear(run.stderr);
    expect(run.stderr).toMatch(word);
  });
});

// The demo runs what is built (npm ci does it), not what these tests bundle.
test.skipIf(!existsSync("dist/inquest.js"))("npm run demo", () => {
  const run = spawnSync(process.execPath, ["scripts/demo.mjs"], { encoding: "utf8", env: environment(), timeout: 60_000 });
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  expect(run.stdout).toContain("lab_fault_map_segment");
  expect(run.stdout.split("\n").length).toBeLessThan(120);
});
