/**
 * Types that follow from the code and the dump's BTF, against the variables of the vmlinux: what is said must not be wrong. And the
 * neutral form of instructions against what the decoders themselves say of them, over some text of each kernel.
 */
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { cachedCases, dumpNamed } from "../../lab/case-record.ts";
import { disassemblerFor, loadDisassembler } from "../../src/arch/disassembler.ts";
import { distance } from "../../src/bytes/address.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openVmlinux } from "../../src/kernel/vmlinux-file.ts";
import { functionAt } from "../../src/type-flow/function-extent.ts";
import { machineOf } from "../../src/type-flow/machine.ts";
import { agreement, someFunctions } from "../support/type-flow-truth.ts";

/** Functions of each kernel. */
const FUNCTIONS = 500;

const cases = cachedCases().filter(
  ({ vmlinux, capture, kernel, release }, index, all) =>
    vmlinux !== undefined &&
    existsSync(vmlinux) &&
    capture === "hypervisor" &&
    // Kernels built without BTF tell nothing by themselves.
    !/-(plain|nosyms|up|debug)$/.test(release) &&
    all.findIndex((other) => other.vmlinux === vmlinux && other.capture === "hypervisor" && other.kernel.arch === kernel.arch) === index,
);

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
  await loadDisassembler("aarch64");
});

describe.skipIf(cases.length === 0)("type flow", () => {
  test.each(cases.map((each) => [each.id, each] as const))("%s: bases of operands against DWARF", async (id, made) => {
    const { files } = dumpNamed(made, "elf");
    const vmlinux = await openVmlinux(made.vmlinux as string, { directories: [], candidates: [] });
    const alone = await openKernel(files);
    const described = await openKernel(files, { vmlinux });
    const found = agreement(alone, described, someFunctions(alone, FUNCTIONS));
    const { functions, operands, named, described: all, agree, silent, outside, contradictions } = found;
    const wrong = contradictions.length / (agree + contradictions.length);
    console.log(
      `${id}: ${functions} functions, ${operands} operands, ${named} named; of ${all} that DWARF has ${agree} agree, ${silent} silent, ${outside} outside, ${contradictions.length} contradict (${(wrong * 100).toFixed(2)} %)`,
    );
    for (const each of contradictions.slice(0, 12)) console.log(`  ${each}`);
    expect(wrong).toBeLessThan(0.01);
    expect(named / operands).toBeGreaterThan(0.3);
    // pahole of 5.10 describes no static functions on arm64.
    expect(agree / all).toBeGreaterThan(0.3);
    alone.dump.close();
    described.dump.close();
  });

  test.each(cases.map((each) => [each.id, each] as const))("%s: what an instruction writes is in its operation", async (_id, made) => {
    const kernel = await openKernel(dumpNamed(made, "elf").files);
    const disassembler = disassemblerFor(kernel.arch.name);
    const { operation, registers } = machineOf(kernel.arch.name);
    const wrong: string[] = [];
    for (const { address } of someFunctions(kernel, FUNCTIONS)) {
      const { start, end } = functionAt(kernel, address);
      const code = kernel.memory.bytes(start, Math.min(distance(end, start), 4096));
      for (let at = 0; at + disassembler.longest <= code.length; ) {
        const instruction = disassembler.decode(code.subarray(at), start);
        const made = operation(instruction);
        // A call's own effect, the return address on the stack, is undone by the return.
        const written = made.effects.flatMap((effect) => (effect.kind === "register" ? [effect.to] : []));
        const told = ["call", "branch", "return"].includes(made.kind) ? [] : instruction.writes;
        const missing = told.filter((name) => registers.includes(name) && !written.includes(name));
        const more = written.filter((name) => registers.includes(name) && !instruction.writes.includes(name));
        if (missing.length + more.length > 0) wrong.push(`${instruction.mnemonic}: misses ${missing}, adds ${more}`);
        at += Math.max(1, instruction.size);
      }
    }
    expect([...new Set(wrong)]).toEqual([]);
    kernel.dump.close();
  });
});
