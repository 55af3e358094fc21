/** The scripts of examples/, each run on every sample with its expected output beside the other goldens. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openKernel } from "../../src/kernel/open.ts";
import { Kernel } from "../../src/library/kernel.ts";
import { samples } from "./samples.ts";

type Script = (kernel: Kernel, args: readonly string[]) => string | Promise<string>;

const names = readdirSync("examples")
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3));

/** What each is given behind `--`. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  "memory-by-process": ["5"],
  mappings: ["1"],
  "find-text": ["Linux version"],
  "compare-dumps": ["samples/x86-64-null-pointer/vmcore"],
};

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (name, sample) => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = new Kernel(await openKernel([sample.vmcore]));
  });
  afterAll(() => kernel.close());

  test.each(names)("%s", async (example) => {
    const { default: script } = (await import(`../../examples/${example}.ts`)) as { readonly default: Script };
    const text = await script(kernel, ARGUMENTS[example] ?? []);
    await expect(`${text}\n`).toMatchFileSnapshot(`golden/${name}/examples/${example}.txt`);
  });
});

test("there are nine, and the README names each", () => {
  expect(names).toHaveLength(9);
  const readme = readFileSync("examples/README.md", "utf8");
  for (const name of names) expect(readme).toContain(`| ${name}.ts |`);
});

test("one of them through the program", () => {
  const { stdout, status } = spawnSync(
    process.execPath,
    ["bin/inquest", "script", "examples/blocked-tasks.ts", "samples/x86-64-hung-tasks/vmcore", "--no-debug-info"],
    { encoding: "utf8" },
  );
  expect(status).toBe(0);
  expect(stdout).toContain("lab_hang");
});
