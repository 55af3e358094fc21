import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { NewcArchive } from "./newc.ts";

describe("NewcArchive", () => {
  it("writes parents before children, pads to four bytes and ends with the trailer", () => {
    const archive = new NewcArchive();
    archive.file("a/b/file", "hello", 0o755);
    archive.symlink("a/link", "b/file");
    const text = Buffer.from(archive.finish()).toString("latin1");
    const names = [...text.matchAll(/070701[0-9a-f]{104}([^\0]+)\0/g)].map((match) => match[1]);
    expect(names).toEqual(["a", "a/b", "a/b/file", "a/link", "TRAILER!!!"]);
    expect(text.length % 4).toBe(0);
    expect(text).toContain(`hello${"\0".repeat(3)}070701`);
  });

  it("is read back by cpio", () => {
    const archive = new NewcArchive();
    archive.file("one", "1");
    archive.file("dir/two", "22");
    let listed: string;
    try {
      listed = execFileSync("cpio", ["-t", "--quiet"], { input: archive.finish() }).toString();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    expect(listed.trim().split("\n")).toEqual(["one", "dir", "dir/two"]);
  });
});
