import { describe, expect, it } from "vitest";
import {
  ARM64_PT_REGS_HEAD,
  arm64IsUser,
  arm64PlausibleRegisters,
  arm64RegistersFromPtRegs,
  arm64RegistersFromWords,
  PSTATE,
} from "./arm64-registers.ts";
import { RegisterSet } from "./registers.ts";
import {
  X86_64_REGISTERS,
  X86_PT_REGS_SIZE,
  x86ApplyIretFrame,
  x86IsUser,
  x86PlausibleRegisters,
  x86RegistersFromPtRegs,
  x86RegistersFromWords,
} from "./x86-64-registers.ts";

describe("x86-64 pt_regs", () => {
  const view = new DataView(new ArrayBuffer(8 + X86_PT_REGS_SIZE));
  for (let i = 0; i < 21; i++) view.setBigUint64(8 + i * 8, BigInt(0x100 + i), true);

  it("are in the kernel's order, with selectors cut to 16 bits", () => {
    view.setBigUint64(8 + 17 * 8, 0xabcd_0000_0000_0033n, true);
    expect(x86RegistersFromPtRegs(view, 8).record()).toEqual({
      r15: 0x100n,
      r14: 0x101n,
      r13: 0x102n,
      r12: 0x103n,
      rbp: 0x104n,
      rbx: 0x105n,
      r11: 0x106n,
      r10: 0x107n,
      r9: 0x108n,
      r8: 0x109n,
      rax: 0x10an,
      rcx: 0x10bn,
      rdx: 0x10cn,
      rsi: 0x10dn,
      rdi: 0x10en,
      orig_rax: 0x10fn,
      rip: 0x110n,
      cs: 0x33n,
      rflags: 0x112n,
      rsp: 0x113n,
      ss: 0x114n,
    });
    expect(x86IsUser(x86RegistersFromPtRegs(view, 8))).toBe(true);
  });

  it("come from the words of a note too, if there are enough", () => {
    const words = Array.from({ length: 27 }, (_, i) => BigInt(i));
    expect(x86RegistersFromWords(words)?.pc).toBe(16n);
    expect(x86RegistersFromWords(words.slice(0, 20))).toBeUndefined();
  });

  it("of an iret frame replace five live registers and drop orig_rax", () => {
    const live = x86RegistersFromPtRegs(view, 8);
    const iret = new DataView(new ArrayBuffer(40));
    [1n, 0x10n, 2n, 3n, 0x18n].forEach((word, i) => {
      iret.setBigUint64(i * 8, word, true);
    });
    expect(x86ApplyIretFrame(live, iret).record()).toMatchObject({ rip: 1n, cs: 0x10n, rflags: 2n, rsp: 3n, ss: 0x18n, rbx: 0x105n });
    expect(x86ApplyIretFrame(live, iret).record()).not.toHaveProperty("orig_rax");
    expect(live.pc).toBe(0x110n);
  });

  it.each([
    [0x10n, 0x18n, 0x246n, "kernel"],
    [0x10n, 0n, 0x46n, "kernel"],
    [0x33n, 0x2bn, 0x202n, "user"],
    [0x23n, 0x2bn, 0x202n, "user"],
    [0x33n, 0x18n, 0x202n, undefined],
    [0x11n, 0x18n, 0x246n, undefined],
    [0x10n, 0x18n, 0x244n, undefined], // bit 1 is always one
    [0x10n, 0x18n, 0x24en, undefined], // bit 3 is always zero
  ])("cs %x ss %x flags %x: %s", (cs, ss, flags, expected) => {
    const set = new RegisterSet(X86_64_REGISTERS);
    set.set(18, cs);
    set.set(19, ss);
    set.set(17, flags);
    expect(x86PlausibleRegisters(set)).toBe(expected);
  });
});

describe("arm64 pt_regs", () => {
  it("give x0 to pstate, orig_x0 and the signed system call number", () => {
    const view = new DataView(new ArrayBuffer(ARM64_PT_REGS_HEAD));
    for (let i = 0; i < 36; i++) view.setBigUint64(i * 8, BigInt(i), true);
    view.setInt32(280, -1, true);
    const set = arm64RegistersFromPtRegs(view);
    expect(set.record()).toMatchObject({
      x0: 0n,
      x29: 29n,
      x30: 30n,
      sp: 31n,
      pc: 32n,
      pstate: 33n,
      orig_x0: 34n,
      syscallno: 2n ** 64n - 1n,
    });
  });

  it.each([
    [0x8000_0000n, true, "user"],
    [0x10n, true, "user"],
    [0x6000_0005n, false, "kernel"],
    [0x3c9n, false, "kernel"],
    [0x0400_0005n, false, undefined], // bit 26 is reserved
    [0x3n, false, undefined],
  ])("pstate %x: user %s, %s", (pstate, user, plausible) => {
    const set = arm64RegistersFromWords(Array.from({ length: 34 }, (_, i) => (i === PSTATE ? pstate : 0n)));
    expect(set !== undefined && arm64IsUser(set)).toBe(user);
    expect(set && arm64PlausibleRegisters(set)).toBe(plausible);
  });

  it("need all words of a note", () => {
    expect(arm64RegistersFromWords(new Array(33).fill(0n))).toBeUndefined();
  });
});
