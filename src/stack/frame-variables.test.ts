import { beforeAll, describe, expect, test } from "vitest";
import { loadDisassembler } from "../arch/disassembler.ts";
import { RegisterSet } from "../arch/registers.ts";
import { RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import * as dw from "../debug-info/dwarf/constants.ts";
import { DwarfDebugInfo } from "../debug-info/dwarf/dwarf-debug-info.ts";
import { OP } from "../debug-info/dwarf/expression-opcodes.ts";
import { buildDwarf } from "../debug-info/dwarf/testing/build-dwarf.ts";
import { locationList } from "../debug-info/dwarf/testing/build-lists.ts";
import { die, type TestAttribute, type TestDie } from "../debug-info/dwarf/testing/test-entries.ts";
import { registerDisassemblers } from "../faces/cli/disassemblers.ts";
import { KernelDebugInfo } from "../kernel/debug-info.ts";
import { SparseMemory, smallKernel } from "../kernel/testing/small-kernel.ts";
import type { FrameKind, StackFrame, UnwoundStack } from "./frame.ts";
import { frameVariables } from "./frame-variables.ts";

const BASE = 0xffff_ffff_8100_0000n;
const SLIDE = 0x1000_0000n;
const STACK = 0xffff_c900_0000_0000n;
const [RAX, RBX, RDI, RSI] = [0, 3, 5, 4];

const int = die(dw.DW_TAG_base_type, [
  [dw.DW_AT_name, "int"],
  [dw.DW_AT_byte_size, 4],
  [dw.DW_AT_encoding, dw.DW_ATE_signed],
]);
const long = die(dw.DW_TAG_base_type, [
  [dw.DW_AT_name, "long"],
  [dw.DW_AT_byte_size, 8],
  [dw.DW_AT_encoding, dw.DW_ATE_signed],
]);
const pair = die(
  dw.DW_TAG_structure_type,
  [
    [dw.DW_AT_name, "pair"],
    [dw.DW_AT_byte_size, 8],
  ],
  ...["a", "b"].map((name, i) =>
    die(dw.DW_TAG_member, [
      [dw.DW_AT_name, name],
      [dw.DW_AT_type, int],
      [dw.DW_AT_data_member_location, 4 * i],
    ]),
  ),
);
const pairPointer = die(dw.DW_TAG_pointer_type, [
  [dw.DW_AT_byte_size, 8],
  [dw.DW_AT_type, pair],
]);

const reg = (register: number) => [OP.reg0 + register];
const entry = (register: number) => [OP.entry_value, 1, OP.reg0 + register, OP.stack_value];

/** A parameter or variable; `location` is an expression, or a list of [from, to, expression] by offsets from BASE. */
function variable(
  name: string,
  type: TestDie,
  location?: readonly number[] | readonly (readonly [number, number, number[]])[],
  more: readonly TestAttribute[] = [],
) {
  return { name, type, location, more };
}

function entryOf(tag: number, { name, type, location, more }: ReturnType<typeof variable>): TestDie {
  const attributes: TestAttribute[] = [[dw.DW_AT_name, name], [dw.DW_AT_type, type], ...more];
  if (location === undefined) return die(tag, attributes);
  const list = location as readonly (readonly [number, number, number[]])[];
  const value = Array.isArray(location[0])
    ? locationList(...list.map(([low, high, expression]) => ["start_end", BASE + BigInt(low), BASE + BigInt(high), expression] as const))
    : (location as readonly number[]);
  return die(tag, [...attributes, [dw.DW_AT_location, value as never]]);
}
const parameter = (...of: Parameters<typeof variable>) => entryOf(dw.DW_TAG_formal_parameter, variable(...of));
const local = (...of: Parameters<typeof variable>) => entryOf(dw.DW_TAG_variable, variable(...of));

function fn(name: string, low: number, high: number, ...children: TestDie[]): TestDie {
  return die(
    dw.DW_TAG_subprogram,
    [
      [dw.DW_AT_name, name],
      [dw.DW_AT_low_pc, BASE + BigInt(low)],
      [dw.DW_AT_high_pc, high - low],
      [dw.DW_AT_frame_base, [OP.call_frame_cfa]],
    ],
    ...children,
  );
}

function call(
  returns: number,
  target: TestDie | undefined,
  passed: readonly (readonly [number, number[]])[],
  more: readonly TestAttribute[] = [],
): TestDie {
  return die(
    dw.DW_TAG_call_site,
    [
      [dw.DW_AT_call_return_pc, BASE + BigInt(returns)],
      ...(target === undefined ? [] : ([[dw.DW_AT_call_origin, target]] as const)),
      ...more,
    ],
    ...passed.map(([register, value]) =>
      die(dw.DW_TAG_call_site_parameter, [
        [dw.DW_AT_location, reg(register)],
        [dw.DW_AT_call_value, value],
      ]),
    ),
  );
}

interface TestFrame {
  readonly at: number;
  readonly kind?: FrameKind;
  readonly registers?: Readonly<Record<number, bigint>>;
  readonly guessed?: boolean;
}

/** Frames over functions of one unit, innermost first; the stack pointer of each is 0x100 above the one before. */
function build(
  functions: readonly TestDie[],
  frames: readonly TestFrame[],
  memory = new SparseMemory(),
  symbols: Record<string, number> = {},
) {
  const root = die(
    dw.DW_TAG_compile_unit,
    [
      [dw.DW_AT_name, "a.c"],
      [dw.DW_AT_low_pc, BASE],
      [dw.DW_AT_high_pc, 0x10000],
    ],
    int,
    long,
    pair,
    pairPointer,
    ...functions,
  );
  const info = DwarfDebugInfo.open(buildDwarf([{ root }]), "vmlinux");
  const debugInfo = new KernelDebugInfo({ module: undefined, path: "vmlinux", info, bias: SLIDE }, () => []);
  const kernel = smallKernel({
    memory,
    debugInfo,
    symbols: Object.fromEntries(Object.entries(symbols).map(([name, at]) => [name, [BASE + SLIDE + BigInt(at), "T"] as const])),
  });
  const area = { kind: "task" as const, start: virtual(STACK), end: virtual(STACK + 0x4000n), cpu: undefined };
  const stack: UnwoundStack = {
    frames: frames.map(({ at, kind = "call", registers = {}, guessed }, level): StackFrame => {
      const set = new RegisterSet(X86_64_REGISTERS);
      for (const [register, value] of Object.entries(registers)) set.set(Number(register), value);
      set.set(RSP, STACK + 0x100n * BigInt(level + 1));
      set.set(RIP, BASE + SLIDE + BigInt(at));
      return {
        level,
        sp: virtual(STACK),
        pc: virtual(BASE + SLIDE + BigInt(at)),
        function: "f",
        offset: 0,
        module: undefined,
        kind,
        certainty: guessed === true ? "guessed" : "exact",
        foundBy: "call-frame information",
        stack: area,
        registers: set,
        exception: undefined,
      } as StackFrame;
    }),
    stop: { complete: true, text: "" },
    user: undefined,
  };
  return (level: number) =>
    Object.fromEntries(
      frameVariables(kernel, stack, stack.frames[level] as StackFrame).map((each) => {
        const { value } = each;
        const shown =
          value === undefined
            ? each.reason
            : value.pointee !== undefined
              ? "&"
              : value.address !== undefined
                ? `@${value.address.toString(16)}`
                : value.place !== undefined
                  ? "bytes"
                  : value.bigint();
        return [each.name, [`${each.state}${each.atEntry ? ", at entry" : ""}`, shown]];
      }),
    );
}

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

describe("values of the frame's own", () => {
  const f = fn(
    "f",
    0x100,
    0x200,
    parameter("inRegister", int, reg(RBX)),
    parameter("onStack", int, [OP.fbreg, 0x30]),
    parameter("nowhere", int),
    parameter("constant", int, undefined, [[dw.DW_AT_const_value, -3]]),
    local("ranged", int, [
      [0x100, 0x150, reg(RBX)],
      [0x150, 0x200, [OP.lit0 + 7, OP.stack_value]],
    ]),
    local("split", pair, [OP.reg0 + RBX, OP.piece, 4, OP.piece, 4]),
    local("lost", int, reg(RAX)),
    local("static", int, [OP.addr, ...le(BASE + 0x9000n)]),
    local("perCpu", int, [OP.addr, ...le(0x20n)]),
  );

  test("registers, memory, constants, lists, pieces, addresses shifted but for per-CPU ones", () => {
    const variables = build([f], [{ at: 0x150, registers: { [RBX]: 0x1_ffff_fffen } }, { at: 0x8000 }]);
    expect(variables(0)).toEqual({
      inRegister: ["known", -2n],
      // The CFA is the caller's stack pointer.
      onStack: ["known", `@${(STACK + 0x230n).toString(16)}`],
      nowhere: ["optimized out", undefined],
      constant: ["known", -3n],
      // A return address belongs to the call before it.
      ranged: ["known", -2n],
      split: ["known", "bytes"],
      lost: ["unreadable", "needs rax, which this frame does not have"],
      static: ["known", `@${(BASE + SLIDE + 0x9000n).toString(16)}`],
      perCpu: ["known", "@20"],
    });
    expect(build([f], [{ at: 0x150, kind: "interrupted" }])(0).ranged).toEqual(["known", 7n]);
  });

  test("parameters come first, then locals of the innermost block", () => {
    const block = die(
      dw.DW_TAG_lexical_block,
      [
        [dw.DW_AT_low_pc, BASE + 0x100n],
        [dw.DW_AT_high_pc, 0x80],
      ],
      local("inner", int, reg(RBX)),
    );
    const nested = fn("f", 0x100, 0x200, local("outer", int, reg(RBX)), parameter("p", int, reg(RBX)), block);
    const variables = build([nested], [{ at: 0x150, registers: { [RBX]: 1n } }]);
    expect(Object.keys(variables(0))).toEqual(["p", "inner", "outer"]);
    expect(build([nested], [{ at: 0x1f0 }])(0)).not.toHaveProperty("inner");
  });

  test("an inlined call has its own, the function keeps its own", () => {
    const abstract = die(
      dw.DW_TAG_subprogram,
      [
        [dw.DW_AT_name, "g"],
        [dw.DW_AT_inline, 1],
      ],
      parameter("x", int),
    );
    const inlined = die(
      dw.DW_TAG_inlined_subroutine,
      [
        [dw.DW_AT_abstract_origin, abstract],
        [dw.DW_AT_low_pc, BASE + 0x140n],
        [dw.DW_AT_high_pc, 0x40],
      ],
      die(dw.DW_TAG_formal_parameter, [
        [dw.DW_AT_abstract_origin, abstract.children[0] as TestDie],
        [dw.DW_AT_location, reg(RBX)],
      ]),
    );
    const outer = fn("f", 0x100, 0x200, parameter("y", int, [OP.lit0 + 5, OP.stack_value]), inlined);
    const frames = [
      { at: 0x150, kind: "inline" as const, registers: { [RBX]: 4n } },
      { at: 0x150, registers: { [RBX]: 4n } },
    ];
    expect(build([abstract, outer], frames)(0)).toEqual({ x: ["known", 4n] });
    expect(build([abstract, outer], frames)(1)).toEqual({ y: ["known", 5n] });
    // Without inlined frames in the stack the physical frame still shows its function's own.
    expect(build([abstract, outer], frames.slice(1))(0)).toEqual({ y: ["known", 5n] });
  });

  test("a pointer to what was optimised out of memory", () => {
    const target = local("target", pair, [OP.lit0 + 9, OP.stack_value]);
    // The entry's offset is found by composing twice.
    const withOffset = (offset: number) =>
      fn("f", 0x100, 0x200, target, local("p", pairPointer, [OP.implicit_pointer, ...le(BigInt(offset), 4), 0]));
    const root = (offset: number) =>
      die(
        dw.DW_TAG_compile_unit,
        [
          [dw.DW_AT_name, "a.c"],
          [dw.DW_AT_low_pc, BASE],
          [dw.DW_AT_high_pc, 0x10000],
        ],
        int,
        long,
        pair,
        pairPointer,
        withOffset(offset),
      );
    const offset = buildDwarf([{ root: root(0) }]).offsetOf(target);
    expect(build([withOffset(offset)], [{ at: 0x150 }])(0).p).toEqual(["known", "&"]);
    expect(build([withOffset(0x7fff)], [{ at: 0x150 }])(0).p?.[0]).toBe("unreadable");
  });
});

describe("values through the caller", () => {
  const f = fn(
    "f",
    0x100,
    0x200,
    parameter("p", long, [
      [0x100, 0x110, reg(RDI)],
      [0x110, 0x200, entry(RDI)],
    ]),
    parameter("q", long, [[0x100, 0x110, reg(RSI)]]),
  );
  const caller = (...sites: TestDie[]) => fn("caller", 0x300, 0x400, parameter("own", long, entry(RDI)), ...sites);
  const outermost = (target: TestDie, value: number[]) => fn("outermost", 0x500, 0x600, call(0x520, target, [[RDI, value]]));
  const passed: readonly (readonly [number, number[]])[] = [
    [RDI, [OP.breg0 + RBX, 8]],
    [RSI, [OP.lit0 + 3]],
  ];
  const frames: TestFrame[] = [{ at: 0x150 }, { at: 0x320, registers: { [RBX]: 0x1000n } }, { at: 0x520 }];

  test("entry values over the caller's registers; a parameter the compiler dropped is that of the entry", () => {
    const variables = build([f, caller(call(0x320, f, passed))], frames);
    expect(variables(0)).toEqual({ p: ["from caller", 0x1008n], q: ["from caller, at entry", 3n] });
    expect(build([f, caller(call(0x320, f, []))], frames)(0).p?.[0]).toBe("optimized out");
  });

  test("through several callers", () => {
    const middle = caller(call(0x320, f, [[RDI, [OP.entry_value, 1, OP.reg0 + RDI, OP.plus_uconst, 1]]]));
    const variables = build([f, middle, outermost(middle, [OP.const1u, 41])], frames);
    expect(variables(0).p).toEqual(["from caller", 42n]);
    expect(variables(1).own).toEqual(["from caller", 41n]);
  });

  test("not when the call was one of another function, was not described, or the caller is a guess", () => {
    const other = fn("other", 0x700, 0x800);
    expect(build([f, other, caller(call(0x320, other, passed))], frames)(0).p).toEqual(["optimized out", "caller calls other there"]);
    expect(build([f, caller(call(0x321, f, passed))], frames)(0).p?.[0]).toBe("optimized out");
    const guess = [frames[0], { ...frames[1], guessed: true }] as TestFrame[];
    expect(build([f, caller(call(0x320, f, passed))], guess)(0).p).toEqual(["optimized out", "it was not entered by a plain call"]);
    const exception = [frames[0], { ...frames[1], kind: "interrupted" }] as TestFrame[];
    expect(build([f, caller(call(0x320, f, passed))], exception)(0).p?.[0]).toBe("optimized out");
  });

  test("not when the function may have come back to itself by jumps", () => {
    const loop: TestDie = { ...f, children: [...f.children] };
    (loop.children as TestDie[]).push(call(0x1f0, loop, [], [[dw.DW_AT_call_tail_call, true]]));
    expect(build([loop, caller(call(0x320, loop, passed))], frames)(0).p).toEqual(["optimized out", "f may have called itself by a jump"]);
  });

  test("an indirect call counts only when another argument proves it", () => {
    const kept = (now: number[]) =>
      fn(
        "f",
        0x100,
        0x200,
        parameter("p", long, [
          [0x100, 0x110, reg(RDI)],
          [0x110, 0x200, entry(RDI)],
        ]),
        parameter("k", long, [
          [0x100, 0x110, reg(RSI)],
          [0x110, 0x200, now],
        ]),
      );
    const pointers: readonly (readonly [number, number[]])[] = [
      [RDI, [OP.lit0 + 3]],
      [RSI, [OP.breg0 + RBX, 0]],
    ];
    const at = (value: bigint): TestFrame[] => [
      { at: 0x150, registers: { [RBX]: value } },
      { at: 0x320, registers: { [RBX]: 0xffff_8880_0000_1000n } },
    ];
    const proved = build([kept(reg(RBX)), caller(call(0x320, undefined, pointers))], at(0xffff_8880_0000_1000n));
    expect(proved(0).p).toEqual(["from caller", 3n]);
    const open = build([kept(reg(RBX)), caller(call(0x320, undefined, pointers))], at(0xffff_8880_0000_2000n));
    expect(open(0).p).toEqual(["optimized out", "the call was indirect, and nothing proves that it called this function"]);
  });

  test("a function that left by a jump passes on what it was given; not when there are two ways", () => {
    const jump = (returns: number, value: number[]) => call(returns, f, [[RDI, value]], [[dw.DW_AT_call_tail_call, true]]);
    const between = (...jumps: TestDie[]) => fn("between", 0x700, 0x800, ...jumps);
    const chain = (b: TestDie) => build([f, b, caller(call(0x320, b, [[RSI, [OP.breg0 + RBX, 2]]]))], frames);
    expect(chain(between(jump(0x720, [OP.entry_value, 1, OP.reg0 + RSI, OP.lit0 + 1, OP.plus])))(0).p).toEqual(["from caller", 0x1003n]);
    // Its own stack is gone.
    expect(chain(between(jump(0x720, [OP.fbreg, 0x78, OP.deref])))(0).p?.[0]).toBe("optimized out");
    expect(chain(between(jump(0x720, [OP.lit0 + 1]), jump(0x740, [OP.lit0 + 2])))(0).p).toEqual([
      "optimized out",
      "caller calls between there",
    ]);
  });

  test("a parameter that constant propagation took away is known from the call", () => {
    const abstract = die(
      dw.DW_TAG_subprogram,
      [
        [dw.DW_AT_name, "f"],
        [dw.DW_AT_inline, 1],
      ],
      parameter("gone", int),
    );
    const gone = abstract.children[0] as TestDie;
    const clone = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_abstract_origin, abstract],
      [dw.DW_AT_low_pc, BASE + 0x100n],
      [dw.DW_AT_high_pc, 0x100],
    ]);
    const site = die(
      dw.DW_TAG_call_site,
      [
        [dw.DW_AT_call_return_pc, BASE + 0x320n],
        [dw.DW_AT_call_origin, clone],
      ],
      die(dw.DW_TAG_call_site_parameter, [
        [dw.DW_AT_call_parameter, gone],
        [dw.DW_AT_call_value, [OP.lit0 + 29]],
      ]),
    );
    expect(build([abstract, clone, caller(site)], frames)(0)).toEqual({ gone: ["from caller, at entry", 29n] });
  });

  test("an argument that is not described follows from the caller's code", () => {
    // caller: mov %rdi,%rbx; xor %esi,%esi; call f
    const memory = new SparseMemory().write(
      BASE + SLIDE + 0x300n,
      Uint8Array.from([0x48, 0x89, 0xfb, 0x31, 0xf6, ...Array(0x16).fill(0x90), 0xe8, 0, 0, 0, 0, ...Array(0xe0).fill(0xcc)]),
    );
    const middle = caller(call(0x320, f, []));
    const variables = build([f, middle, outermost(middle, [OP.const1u, 41])], frames, memory);
    // rdi is as it was on entry, which rbx still holds; xor is no move.
    expect(variables(0).p).toEqual(["from caller", 0x1000n]);
    expect(variables(0).q).toEqual(["optimized out", "caller does not tell what it passed in rsi"]);
  });
});

test("frames without debug information have no variables", () => {
  const variables = build([fn("f", 0x100, 0x200, local("x", int, reg(RBX)))], [{ at: 0x8000 }]);
  expect(variables(0)).toEqual({});
});

function le(value: bigint, size = 8): number[] {
  return Array.from({ length: size }, (_, i) => Number((BigInt.asUintN(64, value) >> BigInt(8 * i)) & 0xffn));
}
