import { describe, expect, it } from "vitest";
import { virtual } from "../../bytes/address.ts";
import type { BtFrame, BtRegisters, BtStack, BtView } from "./result.ts";
import { stackText } from "./text.ts";

const X86: BtView = { machine: "x86_64", offsets: false, radix: undefined, registers: false, slabAddresses: false };
const ARM64: BtView = { ...X86, machine: "aarch64" };

function frame(level: number, name: string, more: Partial<BtFrame> = {}): BtFrame {
  return {
    level,
    sp: virtual(0xffffb9e8c0e2f000n + BigInt(level * 16)),
    pc: virtual(0xffffffff81000000n + BigInt(level)),
    function: name,
    offset: 69,
    module: null,
    kind: "call",
    certainty: "exact",
    foundBy: "orc",
    stack: "task",
    registers: {},
    ...more,
  };
}

function stack(frames: readonly BtFrame[], more: Partial<BtStack> = {}): BtStack {
  const task = { pid: 1, comm: "init", address: virtual(0xff11000003998000n), cpu: 1 };
  return { task, frames, stop: "end of the stack", complete: true, ...more };
}

const lines = (value: BtStack, view = X86, radix: 10 | 16 = 10) => [...stackText(value, view, radix)];

const x86Registers: BtRegisters = {
  address: virtual(0xffffb9e8c0e2f058n),
  user: false,
  function: "sysrq_handle_crash",
  offset: 22,
  module: null,
  registers: {
    rip: 0xffffffff8158dcb6n,
    rsp: 0xffffb9e8c0e2fe68n,
    rflags: 0x10246n,
    rax: 0x63n,
    rbx: 4n,
    rcx: 0n,
    rdx: 0n,
    rsi: 0xffffffff826cc8e3n,
    rdi: 0xffffffffn,
    rbp: 0x63n,
    r8: 0n,
    r9: 0xffffdfffn,
    r10: 1n,
    r11: 2n,
    r12: 3n,
    r13: 4n,
    r14: 5n,
    r15: 6n,
    orig_rax: 0xffffffffffffffffn,
    cs: 0x10n,
    ss: 0x18n,
  },
};

const X86_BLOCK = [
  "    RIP: ffffffff8158dcb6  RSP: ffffb9e8c0e2fe68  RFLAGS: 00010246",
  "    RAX: 0000000000000063  RBX: 0000000000000004  RCX: 0000000000000000",
  "    RDX: 0000000000000000  RSI: ffffffff826cc8e3  RDI: 00000000ffffffff",
  "    RBP: 0000000000000063   R8: 0000000000000000   R9: 00000000ffffdfff",
  "    R10: 0000000000000001  R11: 0000000000000002  R12: 0000000000000003",
  "    R13: 0000000000000004  R14: 0000000000000005  R15: 0000000000000006",
  "    ORIG_RAX: ffffffffffffffff  CS: 0010  SS: 0018",
];

describe("bt's text", () => {
  it("has crash's header and frame lines, ten flush left, modules behind", () => {
    expect(lines(stack([frame(0, "schedule"), frame(9, "vfs_write"), frame(10, "fault", { module: "lab_fault" })]))).toEqual([
      'PID: 1        TASK: ff11000003998000  CPU: 1    COMMAND: "init"',
      " #0 [ffffb9e8c0e2f000] schedule at ffffffff81000000",
      " #9 [ffffb9e8c0e2f090] vfs_write at ffffffff81000009",
      "#10 [ffffb9e8c0e2f0a0] fault at ffffffff8100000a [lab_fault]",
    ]);
  });

  it("has offsets with -s, in the session's radix or the one asked for", () => {
    const one = stack([frame(0, "schedule")]);
    expect(lines(one, { ...X86, offsets: true })[1]).toContain(" schedule+69 at ");
    expect(lines(one, { ...X86, offsets: true }, 16)[1]).toContain(" schedule+0x45 at ");
    expect(lines(one, { ...X86, offsets: true, radix: 10 }, 16)[1]).toContain(" schedule+69 at ");
    expect(lines(one, { ...X86, offsets: true, radix: 16 })[1]).toContain(" schedule+0x45 at ");
  });

  it("shows the registers of an exception behind the frame that handles it", () => {
    const frames = [frame(0, "asm_exc_page_fault", { exception: x86Registers }), frame(1, "sysrq_handle_crash", { kind: "interrupted" })];
    expect(lines(stack(frames)).slice(1)).toEqual([
      " #0 [ffffb9e8c0e2f000] asm_exc_page_fault at ffffffff81000000",
      "    [exception RIP: sysrq_handle_crash+22]",
      ...X86_BLOCK,
      " #1 [ffffb9e8c0e2f010] sysrq_handle_crash at ffffffff81000001",
    ]);
  });

  it("leaves the exception line out for user mode, and puts dashes for what was not saved", () => {
    const { r15: _, ...registers } = x86Registers.registers;
    const shown = lines(stack([frame(0, "entry", { exception: { ...x86Registers, user: true, registers } })]));
    expect(shown[2]).toBe(X86_BLOCK[0]);
    expect(shown[7]).toBe("    R13: 0000000000000004  R14: 0000000000000005  R15: ----------------");
  });

  it("names an exception's pc that is in no code", () => {
    const nowhere = { ...x86Registers, function: null, offset: null };
    expect(lines(stack([frame(0, "asm_exc_page_fault", { exception: nowhere })]))[2]).toBe(
      "    [exception RIP: unknown or invalid address]",
    );
  });

  it("names the stack that is left", () => {
    const kinds = ["nmi", "irq", "entry", "double fault", "task"] as const;
    const shown = lines(stack(kinds.map((kind, i) => frame(i, `f${i}`, { stack: kind })))).filter((line) => line.startsWith("---"));
    expect(shown).toEqual([
      "--- <NMI exception stack> ---",
      "--- <IRQ stack> ---",
      "--- <entry trampoline stack> ---",
      "--- <DOUBLEFAULT exception stack> ---",
    ]);
  });

  it("marks guessed frames and says why they are", () => {
    const guess = { certainty: "guessed" } as const;
    const frames = [frame(0, "odd"), frame(1, "worker", { ...guess, foundBy: "scan" }), frame(2, "kthread", guess)];
    expect(lines(stack(frames, { complete: false, stop: "no unwind rule for odd+0x20" })).slice(2)).toEqual([
      "    (no unwind rule for odd+0x20; guessed from here on)",
      " #1 [ffffb9e8c0e2f010] ? worker at ffffffff81000001",
      " #2 [ffffb9e8c0e2f020] ? kthread at ffffffff81000002",
    ]);
    expect(lines(stack([frame(0, "odd")], { complete: false, stop: "why" })).at(-1)).toBe("    (why)");
    expect(lines(stack([], { complete: false, stop: "no registers" })).slice(1)).toEqual(["    (no registers)"]);
  });

  it("ends words in code with the registers of user mode", () => {
    const text = [{ address: virtual(0xffffb9e8c0e2f010n), pc: 0xffffffff81000005n, function: "schedule", offset: 5, module: null }];
    const shown = lines(stack([frame(0, "schedule")], { text, userRegisters: { ...x86Registers, user: true } }));
    expect(shown.slice(1)).toEqual([
      "              START: schedule at ffffffff81000000",
      "  [ffffb9e8c0e2f010] schedule at ffffffff81000005",
      ...X86_BLOCK,
    ]);
  });

  it("says why a frame rests on x30 alone, and where one is missing", () => {
    const vectors = frame(0, "vectors", { interruptedLost: true });
    const guessed = lines(stack([vectors, frame(1, "delay", { certainty: "guessed", foundBy: "link register" })]), ARM64);
    expect(guessed.slice(2)).toEqual([expect.stringContaining("guessed from x30"), " #1 [ffffb9e8c0e2f010] ? delay at ffffffff81000001"]);
    const missing = lines(stack([vectors, frame(1, "delay", { foundBy: "frame pointer" })]), ARM64);
    expect(missing.slice(2)).toEqual([expect.stringContaining("missing here"), " #1 [ffffb9e8c0e2f010] delay at ffffffff81000001"]);
  });

  it("says that a task was running in user mode, with its registers", () => {
    const shown = lines(stack([], { stop: "running in user mode", registers: { ...x86Registers, address: null, user: true } }));
    expect(shown.slice(1)).toEqual(["    (running in user mode)", ...X86_BLOCK]);
  });

  it("shows the registers of a stopped CPU before its frames", () => {
    const shown = lines(stack([frame(0, "native_safe_halt")], { registers: { ...x86Registers, address: null } }));
    expect(shown[1]).toBe("    [exception RIP: sysrq_handle_crash+22]");
    expect(shown.at(-1)).toBe(" #0 [ffffb9e8c0e2f000] native_safe_halt at ffffffff81000000");
  });

  it("shows words two a line, by number, symbol, slab cache or as unreadable", () => {
    const at = (i: number) => virtual(0xffffb9e8c0e2f008n + BigInt(i * 8));
    const words = [
      { address: at(0), value: 1n },
      { address: at(1), value: 2n, symbol: { name: "schedule", offset: 39 } },
      { address: at(2), value: 0xff49574041a8e0c0n, cache: "kmalloc-64" },
      { address: at(3), value: null },
      { address: at(4), value: 5n },
    ];
    const one = stack([frame(0, "schedule", { words })]);
    expect(lines(one).slice(2)).toEqual([
      "    ffffb9e8c0e2f008: 0000000000000001 schedule+39      ",
      "    ffffb9e8c0e2f018: [kmalloc-64]     (unreadable)     ",
      "    ffffb9e8c0e2f028: 0000000000000005 ",
    ]);
    expect(lines(one, { ...X86, slabAddresses: true })[3]).toContain("[ff49574041a8e0c0:kmalloc-64] ");
    expect(lines(stack([], { raw: words }))[1]).toBe("ffffb9e8c0e2f008:  0000000000000001 schedule+39      ");
  });

  it("lists text words with -t and exception frames with -e", () => {
    const row = { address: virtual(0xffffb9e8c0e2f018n), pc: 0xffffffff81000077n, function: "kthread", offset: 218, module: "m" };
    expect(lines(stack([frame(0, "schedule")], { text: [row] })).slice(1)).toEqual([
      "              START: schedule at ffffffff81000000",
      "  [ffffb9e8c0e2f018] kthread at ffffffff81000077 [m]",
    ]);
    expect(lines(stack([], { exceptionFrames: [x86Registers] })).slice(1, 5)).toEqual([
      "",
      "  KERNEL-MODE EXCEPTION FRAME AT: ffffb9e8c0e2f058",
      "    [exception RIP: sysrq_handle_crash+22]",
      X86_BLOCK[0],
    ]);
  });
});

describe("arm64 registers", () => {
  const registers: Record<string, bigint> = {
    sp: 0xffff800012f1bc50n,
    pc: 0xffff80001024b7a4n,
    pstate: 0x60000005n,
    orig_x0: 1n,
    syscallno: 0x40n,
  };
  for (let i = 0; i <= 30; i++) registers[`x${i}`] = BigInt(i);
  const saved: BtRegisters = {
    address: virtual(0xffff800012f1bb00n),
    user: false,
    function: "sysrq_handle_crash",
    offset: 36,
    module: null,
    link: { function: "__handle_sysrq", offset: 136 },
    registers,
  };

  it("of kernel mode name pc and lr", () => {
    const shown = lines(stack([frame(0, "el1h_64_sync", { exception: saved })]), ARM64).slice(2);
    expect(shown.slice(0, 4)).toEqual([
      "     PC: ffff80001024b7a4  [sysrq_handle_crash+36]",
      "     LR: 000000000000001e  [__handle_sysrq+136]",
      "     SP: ffff800012f1bc50  PSTATE: 60000005",
      "    X29: 000000000000001d  X28: 000000000000001c  X27: 000000000000001b",
    ]);
    expect(shown.slice(-3)).toEqual([
      "     X8: 0000000000000008   X7: 0000000000000007   X6: 0000000000000006",
      "     X5: 0000000000000005   X4: 0000000000000004   X3: 0000000000000003",
      "     X2: 0000000000000002   X1: 0000000000000001   X0: 0000000000000000",
    ]);
    expect(shown).toHaveLength(13);
  });

  it("of user mode have pc, lr and sp in one line and the system call at the end", () => {
    const shown = lines(stack([frame(0, "el0t_64_sync", { exception: { ...saved, user: true } })]), ARM64).slice(2);
    expect(shown[0]).toBe("     PC: ffff80001024b7a4   LR: 000000000000001e   SP: ffff800012f1bc50");
    expect(shown.at(-1)).toBe("    ORIG_X0: 0000000000000001  SYSCALLNO: 40  PSTATE: 60000005");
  });
});

describe("inlined frames, lines and registers", () => {
  const place = { file: "/build/kernel/panic.c", line: 459, column: 3 };
  const inner = frame(0, "__delay", { kind: "inline", offset: null, source: { ...place, line: 80 } });
  const outer = frame(1, "panic", { source: place, registers: { rsp: 0xff00n, rbx: 1n, r12: 2n, r13: 3n, rip: 4n } });

  it("marks what was inlined and puts the line below each frame", () => {
    expect(lines(stack([inner, outer])).slice(1)).toEqual([
      " #0 [ffffb9e8c0e2f000] __delay at ffffffff81000000 (inlined)",
      "    /build/kernel/panic.c: 80",
      " #1 [ffffb9e8c0e2f010] panic at ffffffff81000001",
      "    /build/kernel/panic.c: 459",
    ]);
  });

  it("shows the registers that calls preserve once for a physical frame", () => {
    expect(lines(stack([inner, outer]), { ...X86, registers: true }).filter((line) => line.includes(": 0"))).toEqual([
      "    RSP: 000000000000ff00  RBX: 0000000000000001  R12: 0000000000000002  R13: 0000000000000003",
    ]);
  });
});
