/** Every C declaration of kernel/globals.ts against what DWARF says of the variable (gdb's whatis), on each kernel whose vmlinux is in the cache. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadCase } from "../../lab/case-record.ts";
import { allCases } from "../../lab/cases.ts";
import { run } from "../../lab/process.ts";
import { declare } from "../../src/debug-info/c-format-type.ts";
import { globalNames, globalType } from "../../src/kernel/globals.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";

const cases = allCases()
  .map((plan) => loadCase(plan.id))
  .filter((made) => made !== undefined)
  .filter(
    (made, index, all) =>
      made.vmlinux !== undefined && existsSync(made.vmlinux) && all.findIndex((other) => other.vmlinux === made.vmlinux) === index,
  );

/** Array lengths depend on the configuration and volatile on nothing that a reader cares for. */
function normal(type: string): string {
  return type
    .replace(/\bvolatile\b/g, "")
    .replace(/\[\d*\]/g, "[]")
    .replace(/\blong unsigned int\b/g, "unsigned long")
    .replace(/\s+/g, " ")
    .replace(/ ?([*[(]) ?/g, "$1")
    .trim();
}

describe.each(cases.map((made) => [made.release, made] as const))("%s", (_release, made) => {
  test("declared globals have DWARF's types", async () => {
    // Kernels built without BTF or kallsyms have their types and symbols from the vmlinux itself.
    const alone = /-(plain|nosyms|up|debug)$/.test(made.release) ? { vmlinux: await openVmlinux(made.vmlinux as string) } : {};
    const kernel = await openKernel(made.dumps[0]?.files ?? [], alone);
    const names = globalNames().filter((name) => kernel.tryAddress(name) !== undefined && globalType(name, kernel.types) !== undefined);
    expect(names.length).toBeGreaterThan(10);
    const commands = names.flatMap((name) => ["-ex", `echo \\n${name}|`, "-ex", `whatis ${name}`]);
    const gdb = await run("gdb", ["-batch", "-nx", ...commands, made.vmlinux as string], { allowFailure: true, timeoutMs: 300_000 });
    const said = new Map(
      [...gdb.stdout.toString().matchAll(/^(\w+)\|type = (.*)$/gm)].map((match) => [match[1] as string, match[2] as string]),
    );
    expect(said.size).toBeGreaterThan(10);
    const wrong = names.flatMap((name) => {
      const type = globalType(name, kernel.types);
      const ours = type === undefined ? "" : normal(declare(type));
      const theirs = said.get(name);
      return theirs === undefined || normal(theirs) === ours ? [] : [`${name}: declared ${ours}, DWARF says ${theirs}`];
    });
    expect(wrong).toEqual([]);
  });
});
