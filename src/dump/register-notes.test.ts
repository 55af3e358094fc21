import { describe, expect, it } from "vitest";
import { qemuCpuStates, registerNotes } from "./register-notes.ts";
import { prstatus, qemuNote, textNote } from "./testing/build-notes.ts";

describe("registerNotes", () => {
  it.each([
    ["x86_64", 27],
    ["aarch64", 34],
  ] as const)("lists PRSTATUS of %s in order, with all %d words", (machine, words) => {
    const registers = (base: bigint) => Array.from({ length: words }, (_, i) => base + BigInt(i));
    const notes = [
      prstatus(machine, 100, registers(0xffff_8000_0000_0000n)),
      textNote("VMCOREINFO", "x"),
      prstatus(machine, 0, registers(5n)),
    ];
    expect(registerNotes(notes, machine)).toEqual([
      { pid: 100, signal: 9, registers: registers(0xffff_8000_0000_0000n) },
      { pid: 0, signal: 9, registers: registers(5n) },
    ]);
    expect(registerNotes(notes, "s390x")).toEqual([]);
  });

  it("leaves out a note that is too short", () => {
    expect(registerNotes([{ name: "CORE", type: 1, data: new Uint8Array(300) }], "x86_64")).toEqual([]);
  });
});

describe("qemuCpuStates", () => {
  it("reads every register from its place", () => {
    const [state] = qemuCpuStates([qemuNote(0x100n)]);
    expect(state).toMatchObject({
      rax: 0x100n,
      rbx: 0x101n,
      rsp: 0x106n,
      rbp: 0x107n,
      r8: 0x108n,
      r15: 0x10fn,
      rip: 0x110n,
      rflags: 0x111n,
    });
    expect(state?.cs).toEqual({ selector: 0, limit: 0xffff, flags: 0x93, base: 0x112n });
    expect(state?.gs.base).toBe(0x116n);
    expect(state?.idt).toMatchObject({ selector: 9, base: 0x11bn });
    expect(state).toMatchObject({ cr0: 0x11cn, cr3: 0x11fn, cr4: 0x120n, kernelGsBase: 0x121n });
  });

  it("reads the notes of old QEMUs, which end before kernel_gs_base, and skips stumps", () => {
    const old = { ...qemuNote(1n), data: qemuNote(1n).data.subarray(0, 432) };
    expect(qemuCpuStates([old])[0]?.kernelGsBase).toBeUndefined();
    expect(qemuCpuStates([{ ...old, data: old.data.subarray(0, 431) }])).toEqual([]);
  });
});
