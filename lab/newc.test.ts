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
});
