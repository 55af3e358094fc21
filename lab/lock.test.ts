import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";

const dir = mkdtempSync(join(tmpdir(), "lab-lock-"));
const before = process.env.INQUEST_LAB_DIR;
beforeAll(() => {
  process.env.INQUEST_LAB_DIR = dir;
});
afterAll(() => {
  if (before === undefined) delete process.env.INQUEST_LAB_DIR;
  else process.env.INQUEST_LAB_DIR = before;
  rmSync(dir, { recursive: true });
});

describe("withLock", () => {
  it("lets one at a time work, and the next after a failure", async () => {
    const order: string[] = [];
    const work = (name: string) =>
      withLock("a", async () => {
        order.push(`${name} in`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        order.push(`${name} out`);
        if (name === "one") throw new Error("failed");
      });
    await Promise.allSettled([work("one"), work("two")]);
    expect(order).toEqual(["one in", "one out", "two in", "two out"]);
    expect(readdirSync(cacheDir("locks"))).toEqual([]);
  });

  it("takes over a lock whose owner is gone", async () => {
    writeFileSync(join(cacheDir("locks"), "b.lock"), "4194305\n");
    expect(await withLock("b", async () => 7, 5000)).toBe(7);
  });
});
