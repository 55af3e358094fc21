import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeDirectory } from "./make-directory.ts";

const root = mkdtempSync(join(tmpdir(), "inquest-make-"));
afterAll(() => rmSync(root, { recursive: true }));

test("makes what is missing, for the user alone", () => {
  makeDirectory(join(root, "a", "b", "c"));
  makeDirectory(join(root, "a", "b", "c"));
  expect(statSync(join(root, "a", "b")).mode & 0o777).toBe(0o700);
});

test("fails at once where the system refuses", () => {
  writeFileSync(join(root, "file"), "");
  expect(() => makeDirectory(join(root, "file", "x", "y"))).toThrow();
  if (!existsSync("/proc/self")) return;
  expect(() => makeDirectory("/proc/inquest-none/x")).toThrow("ENOENT");
});
