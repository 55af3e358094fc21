import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { History, historyPath } from "./history.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-history-"));
  path = join(directory, "state", "inquest", "history");
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("history", () => {
  it("lies in the state directory", () => {
    expect(historyPath({ XDG_STATE_HOME: "/s", HOME: "/h" })).toBe("/s/inquest/history");
    expect(historyPath({ HOME: "/h" })).toBe("/h/.local/state/inquest/history");
  });

  it("persists, readable by the user alone", () => {
    const first = new History(path);
    first.add("bt -a");
    first.add("bt -a");
    first.add("ps\nx");
    expect(new History(path).entries).toEqual(["bt -a", "ps x"]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("makes no home that does not exist", () => {
    const home = join(directory, "home");
    const history = new History(historyPath({ HOME: home }));
    history.add("bt");
    expect([history.entries, existsSync(home)]).toEqual([["bt"], false]);
    mkdirSync(home);
    history.add("ps");
    expect(new History(historyPath({ HOME: home })).entries).toEqual(["ps"]);
  });

  it("stays bounded", () => {
    const history = new History(path, 10);
    for (let i = 0; i < 300; i++) history.add(`command ${i} ${"x".repeat(60)}`);
    const lines = readFileSync(path, "utf8").trim().split("\n");
    expect(lines.length).toBeLessThanOrEqual(15);
    expect(lines.at(-1)).toContain("command 299");
  });

  it("loses no line of two processes that write at the same time", async () => {
    const script = join(directory, "writer.mjs");
    const compiled = join(process.cwd(), "src/faces/cli/history.ts");
    const { build } = await import("esbuild");
    await build({
      entryPoints: [compiled],
      outfile: join(directory, "history.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "error",
    });
    writeFileSync(
      script,
      `import { History } from "./history.mjs"; const h = new History(process.argv[2]); for (let i = 0; i < 100; i++) h.add(process.argv[3] + i);`,
    );
    const run = promisify(execFile);
    await Promise.all(["a", "b"].map((name) => run(process.execPath, [script, path, name])));
    const lines = readFileSync(path, "utf8").trim().split("\n");
    expect(new Set(lines).size).toBe(200);
  });

  it("does not mind a directory it cannot write", () => {
    writeFileSync(join(directory, "file"), "");
    const history = new History(join(directory, "file", "history"));
    history.add("bt");
    expect(history.entries).toEqual(["bt"]);
  });

  it("recalls", () => {
    const history = new History(undefined);
    for (const line of ["bt -a", "ps", "bt 1"]) history.add(line);
    expect(history.expand("!!")).toBe("bt 1");
    expect(history.expand("r")).toBe("bt 1");
    expect(history.expand("!1")).toBe("bt -a");
    expect(history.expand("r 2")).toBe("ps");
    expect(history.expand("r p")).toBe("ps");
    expect(history.expand("r b")).toBe("bt 1");
    expect(history.expand("!ls -l")).toBe("!ls -l");
    expect(history.expand("r x")).toBeUndefined();
    expect(history.expand("!9")).toBeUndefined();
    expect(history.expand("runq")).toBe("runq");
  });
});
