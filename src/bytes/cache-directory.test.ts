import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheDirectory, cacheSettings, readCached, writeCached } from "./cache-directory.ts";

let root = "";
const before = { ...cacheSettings };
const environment = { ...process.env };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "inquest-cache-"));
  cacheSettings.directory = join(root, "cache");
});

afterEach(() => {
  Object.assign(cacheSettings, before);
  process.env = { ...environment };
  chmodSync(root, 0o700);
  rmSync(root, { recursive: true, force: true });
});

const text = (name: string) => {
  const bytes = readCached(name);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
};
const parts = (...strings: string[]) => strings.map((each) => new TextEncoder().encode(each));
const hours = (count: number) => new Date(Date.now() - count * 3_600_000);

describe("cache directory", () => {
  it("is where the environment says", () => {
    cacheSettings.directory = undefined;
    process.env = { HOME: "/home/someone" };
    expect(cacheDirectory()).toBe("/home/someone/.cache/inquest");
    process.env.XDG_CACHE_HOME = "relative";
    expect(cacheDirectory()).toBe("/home/someone/.cache/inquest");
    process.env.XDG_CACHE_HOME = "/var/cache/someone";
    expect(cacheDirectory()).toBe("/var/cache/someone/inquest");
    process.env.INQUEST_CACHE_DIR = "/elsewhere";
    expect(cacheDirectory()).toBe("/elsewhere");
    cacheSettings.enabled = false;
    expect(cacheDirectory()).toBeUndefined();
  });

  it("gives back what was written, and nothing else is left there", () => {
    expect(text("a.names")).toBeUndefined();
    expect(writeCached("a.names", parts("one, ", "two"))).toBe(true);
    expect(text("a.names")).toBe("one, two");
    expect(readCached("a.names")?.byteOffset).toBe(0);
    expect(writeCached("a.names", parts("three"))).toBe(true);
    expect(text("a.names")).toBe("three");
    expect(readdirSync(join(root, "cache"))).toEqual(["a.names"]);
  });

  it("keeps nothing when it is switched off", () => {
    cacheSettings.enabled = false;
    expect(writeCached("a.names", parts("x"))).toBe(false);
    expect(existsSync(join(root, "cache"))).toBe(false);
  });

  it("makes no home that does not exist", () => {
    cacheSettings.directory = undefined;
    process.env = { HOME: join(root, "home") };
    expect(writeCached("a.names", parts("x"))).toBe(false);
    expect(existsSync(join(root, "home"))).toBe(false);
    mkdirSync(join(root, "home"));
    expect(writeCached("a.names", parts("x"))).toBe(true);
    expect(existsSync(join(root, "home", ".cache", "inquest", "a.names"))).toBe(true);
  });

  it("does not leave its directory", () => {
    for (const name of ["../a", "/etc/passwd", "", ".hidden", "a/b"]) {
      expect(writeCached(name, parts("x"))).toBe(false);
      expect(readCached(name)).toBeUndefined();
    }
  });

  it("is silent where it cannot write: the directory is a file, or is a directory where the file should be", () => {
    writeFileSync(join(root, "cache"), "a file");
    expect(writeCached("a.names", parts("x"))).toBe(false);
    expect(text("a.names")).toBeUndefined();
    rmSync(join(root, "cache"));
    mkdirSync(join(root, "cache", "a.names"), { recursive: true });
    expect(writeCached("a.names", parts("x"))).toBe(false);
    expect(text("a.names")).toBeUndefined();
    expect(readdirSync(join(root, "cache"))).toEqual(["a.names"]);
  });

  it("removes the files not used for longest when all are too large, and what dead writers left", () => {
    const cache = join(root, "cache");
    for (const [name, age] of [
      ["old", 30],
      ["used", 40],
      ["new", 2],
    ] as const) {
      writeCached(name, parts("x".repeat(100)));
      utimesSync(join(cache, name), hours(age), hours(age));
    }
    writeFileSync(join(cache, ".a.names.1-1.tmp"), "y".repeat(1000));
    writeFileSync(join(cache, ".a.names.2-1.tmp"), "y");
    utimesSync(join(cache, ".a.names.1-1.tmp"), hours(30), hours(30));
    writeFileSync(join(cache, "-not-ours"), "z".repeat(1000));
    cacheSettings.limit = 310;
    expect(text("used")).toHaveLength(100);
    expect(writeCached("newest", parts("x".repeat(100)))).toBe(true);
    expect(readdirSync(cache).sort()).toEqual(["-not-ours", ".a.names.2-1.tmp", "new", "newest", "used"]);
    expect(writeCached("huge", parts("x".repeat(400)))).toBe(false);
    expect(readdirSync(cache)).toHaveLength(5);
  });

  it("never shows half a file while several processes write it", async () => {
    const script = join(root, "write.mjs");
    await build({
      stdin: {
        contents: `import { cacheSettings, readCached, writeCached } from "./cache-directory.ts";
          cacheSettings.directory = process.argv[2];
          const letter = process.argv[3];
          let bad = 0;
          for (let i = 0; i < 60; i++) {
            writeCached("shared", [Buffer.alloc(50_000, letter), Buffer.alloc(150_000, letter)]);
            const bytes = readCached("shared");
            if (bytes === undefined || bytes.length !== 200_000 || bytes.some((byte) => byte !== bytes[0])) bad++;
          }
          console.log(bad);`,
        resolveDir: import.meta.dirname,
      },
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
    });
    const run = promisify(execFile);
    const results = await Promise.all(["a", "b", "c"].map((letter) => run(process.execPath, [script, join(root, "cache"), letter])));
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(["0", "0", "0"]);
    expect(readdirSync(join(root, "cache"))).toEqual(["shared"]);
    expect(readFileSync(join(root, "cache", "shared"))).toHaveLength(200_000);
  });
});
