import { describe, expect, test } from "vitest";
import { MemoryBuilder, mapPage, rootTable, type TableShape } from "../arch/testing/build-memory.ts";
import type { Dump } from "../dump/dump.ts";
import { PhysicalMemory } from "../dump/physical-memory.ts";
import { machineCandidates, noMachine } from "./machine-setup.ts";

const UTS = 0xffff_ffff_8200_0000n;
const shape: TableShape = {
  bits: [9, 9, 9, 9],
  pageShift: 12,
  table: (address) => address | 0x67n,
  leaf: (address) => address | 0x63n,
  next: (entry) => entry & 0x000f_ffff_ffff_f000n,
};

/** A machine whose init_uts_ns says `release`, and the VMCOREINFO that leads there. */
function machine(release: string) {
  const builder = new MemoryBuilder();
  const root = rootTable(builder);
  const uts = builder.allocate();
  mapPage(builder, root, shape, UTS, uts);
  (builder.pages.get(Number(uts >> 12n)) as Uint8Array).set(new TextEncoder().encode(`${release}\0`), 4 + 130);
  const text = [
    "OSRELEASE=6.1.0-test",
    `SYMBOL(init_uts_ns)=${UTS.toString(16)}`,
    "SYMBOL(_stext)=ffffffff81000000",
    `SYMBOL(swapper_pg_dir)=${(0xffff_ffff_8000_0000n + root).toString(16)}`,
    "NUMBER(phys_base)=0",
    "",
  ].join("\n");
  return { builder, text, root };
}

function memoryOf(builder: MemoryBuilder, parts: Partial<Dump>): PhysicalMemory {
  return new PhysicalMemory({ ...builder.dump(), ...parts }, { cacheBytes: 1 << 20 });
}

const notesOf = (memory: PhysicalMemory) => [...machineCandidates(memory)].map((candidate) => candidate.note);

function put(builder: MemoryBuilder, text: string): void {
  (builder.pages.get(Number(builder.allocate() >> 12n)) as Uint8Array).set(new TextEncoder().encode(text));
}

describe("machineCandidates", () => {
  test("the container's VMCOREINFO, when the kernel it leads to bears its release", () => {
    const { builder, text, root } = machine("6.1.0-test");
    put(builder, text);
    const [candidate, ...others] = [...machineCandidates(memoryOf(builder, { vmcoreinfo: text }))];
    expect(others).toEqual([]);
    expect(candidate?.note).toBeUndefined();
    expect(candidate?.arch.name).toBe("x86_64");
    expect(candidate?.arch.setup.root).toBe(root);
    expect(candidate?.imageStart).toBe(0xffff_ffff_8100_0000n);
  });

  test("phys_base of before 4.10 comes from the segment of the kernel's text", () => {
    const { builder, text, root } = machine("3.10.0-test");
    // The image lies 16 MiB above its link address: the symbol is that much lower than its place tells.
    const old = text
      .replace("6.1.0-test", "3.10.0-test")
      .replace("NUMBER(phys_base)=0\n", "")
      .replace(/swapper_pg_dir\)=\w+/, `swapper_pg_dir)=${(0xffff_ffff_8000_0000n + root - 0x100_0000n).toString(16)}`);
    const ranges = [
      { virtual: 0xffff_8800_0000_0000n, physical: 0n, size: 0x100_0000n },
      { virtual: 0xffff_ffff_8100_0000n, physical: 0x200_0000n, size: 0x100_0000n },
    ];
    const [candidate] = [...machineCandidates(memoryOf(builder, { vmcoreinfo: old, virtualRanges: ranges }))];
    expect(candidate?.arch.setup.root).toBe(root);
    expect(notesOf(memoryOf(builder, { vmcoreinfo: old, virtualRanges: [] }))).toEqual([]);
  });

  test("without one, that found in memory; also where the machine is not known (raw memory)", () => {
    const { builder, text } = machine("6.1.0-test");
    put(builder, text);
    expect(notesOf(memoryOf(builder, {}))).toEqual(["no VMCOREINFO in the dump's header: it was found in memory"]);
    expect(notesOf(memoryOf(builder, { machine: "unknown" }))).toHaveLength(1);
  });

  test("an earlier kernel's VMCOREINFO is passed over", () => {
    const { builder, text } = machine("6.1.0-test");
    put(builder, text.replace("6.1.0-test", "5.10.0-old"));
    put(builder, text);
    expect([...machineCandidates(memoryOf(builder, {}))].map(({ vmcoreinfo }) => vmcoreinfo?.osrelease)).toEqual(["6.1.0-test"]);
    expect(notesOf(memoryOf(builder, { vmcoreinfo: text.replace("6.1.0-test", "5.10.0-old") }))).toEqual([
      "the dump's VMCOREINFO does not lead to the kernel it names: another was found in memory",
    ]);
  });

  test("nothing leads anywhere: the error names the kernel whose banner lies in memory", () => {
    const { builder } = machine("6.1.0-test");
    put(builder, "junk\0Linux version 6.1.0-test (gcc) #1 SMP\n\0");
    const memory = memoryOf(builder, {});
    expect([...machineCandidates(memory)]).toEqual([]);
    expect(noMachine(memory).message).toMatch(/memory holds the text "Linux version 6\.1\.0-test \(gcc\) #1 SMP"/);
  });

  test("a machine that cannot be read is named", () => {
    const { builder, text } = machine("6.1.0-test");
    expect(() => [...machineCandidates(memoryOf(builder, { vmcoreinfo: text, machine: "s390x" }))]).toThrow("s390x");
  });
});
