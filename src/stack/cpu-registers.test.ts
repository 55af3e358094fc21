import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { Note } from "../dump/dump.ts";
import { cpuRegisters } from "./cpu-registers.ts";
import { FakeStackKernel } from "./testing/fake-stack-kernel.ts";

/** An NT_PRSTATUS of x86-64 whose rip is given; cs says kernel unless told. */
function prstatus(pid: number, rip: bigint, cs = 0x10n): Uint8Array {
  const data = new Uint8Array(336);
  const view = new DataView(data.buffer);
  view.setUint32(32, pid, true);
  view.setBigUint64(112 + 16 * 8, rip, true);
  view.setBigUint64(112 + 17 * 8, cs, true);
  return data;
}

function kernelWith(notes: readonly Note[], vmcoreinfo?: { readonly crashTime: number | undefined }) {
  const kernel = new FakeStackKernel("x86_64");
  Object.assign(kernel.dump, { notes, littleEndian: true });
  Object.assign(kernel, { vmcoreinfo });
  return kernel;
}

const note = (pid: number, rip: bigint, cs?: bigint): Note => ({ name: "CORE", type: 1, data: prstatus(pid, rip, cs) });
const pcs = (kernel: FakeStackKernel) => cpuRegisters(kernel.kernel).map((found) => found?.registers.pc);

/** crash_notes of one CPU: an ELF note, then zeroes. */
function crashNotes(kernel: FakeStackKernel, address: bigint, data: Uint8Array | undefined): void {
  const bytes = new Uint8Array(512);
  if (data !== undefined) {
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 5, true);
    view.setUint32(4, data.length, true);
    view.setUint32(8, 1, true);
    bytes.set(new TextEncoder().encode("CORE"), 12);
    bytes.set(data, 20);
    // Other per-CPU data behind the end mark.
    bytes.fill(0x5a, 20 + data.length + 12);
  }
  kernel.memory.write(address, bytes);
}

describe("registers of the CPUs", () => {
  it("follow QEMU's numbering of the notes, in any order", () => {
    expect(pcs(kernelWith([note(2, 0xbn), note(1, 0xan)]))).toEqual([0xan, 0xbn]);
  });

  it("follow the order of the notes when pids are no numbers of CPUs", () => {
    expect(pcs(kernelWith([note(700, 0xan), note(1, 0xbn)]))).toEqual([0xan, 0xbn]);
    expect(pcs(kernelWith([note(0, 0xan), note(0, 0xbn)]))).toEqual([0xan, 0xbn]);
  });

  it("say when the CPU was in user mode", () => {
    expect(cpuRegisters(kernelWith([note(1, 0xan, 0x33n)]).kernel)[0]?.user).toBe(true);
  });

  it("of a real kdump come from crash_notes, so that a CPU without one shifts nobody's", () => {
    const kernel = kernelWith([note(100, 0xan), note(200, 0xcn)], { crashTime: 1 });
    kernel.perCpuOffsets = [virtual(0x1_0000n), virtual(0x2_0000n), virtual(0x3_0000n)];
    const base = 0xffff_8880_0300_0000n;
    kernel.symbol("crash_notes", 0xffff_8880_0400_0000n);
    kernel.memory.put64(0xffff_8880_0400_0000n, base);
    crashNotes(kernel, base + 0x1_0000n, prstatus(100, 0xan));
    crashNotes(kernel, base + 0x2_0000n, undefined);
    crashNotes(kernel, base + 0x3_0000n, prstatus(200, 0xcn));
    expect(pcs(kernel)).toEqual([0xan, undefined, 0xcn]);
    expect(cpuRegisters(kernel.kernel)[2]).toMatchObject({ cpu: 2, pid: 200, source: "crash_notes" });
  });

  it("of a real kdump fall back to the dump's notes when crash_notes cannot be read", () => {
    const kernel = kernelWith([note(100, 0xan)], { crashTime: 1 });
    expect(pcs(kernel)).toEqual([0xan]);
    kernel.symbol("crash_notes", 0x1000n);
    expect(pcs(kernel)).toEqual([0xan]);
  });
});
