import { expect, test } from "vitest";
import { FaultError } from "../../bytes/errors.ts";
import { evaluateLocation, evaluateScalar } from "./expression.ts";
import type { ExpressionContext, ExpressionUnit } from "./expression-context.ts";
import { OP, operationName } from "./expression-opcodes.ts";
import { registerOf } from "./expression-register.ts";

const MASK = 2n ** 64n - 1n;
const NAMES = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"];

function uleb(value: number | bigint): number[] {
  let rest = BigInt(value);
  const bytes: number[] = [];
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

function sleb(value: number | bigint): number[] {
  let rest = BigInt(value);
  const bytes: number[] = [];
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

function le(value: number | bigint, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(8 * i)) & 0xffn));
}

/** consts n: any signed number. */
const push = (value: number | bigint) => [OP.consts, ...sleb(value)];
/** Memory in which the word at an address is that address times 0x0101…01, byte by byte. */
const memory = {
  u8(address: bigint): number {
    if (address < 0x1000n) throw new FaultError(address, "virtual", "unmapped");
    return Number((address * 7n) & 0xffn);
  },
  u16: (address: bigint): number => memory.u8(address) | (memory.u8(address + 1n) << 8),
  u32: (address: bigint): number => memory.u16(address) + memory.u16(address + 2n) * 0x10000,
  u64: (address: bigint): bigint => BigInt(memory.u32(address)) | (BigInt(memory.u32(address + 4n)) << 32n),
};

const TYPES: Readonly<Record<number, { size: number; encoding: "signed" | "unsigned" | "float" }>> = {
  32: { size: 4, encoding: "signed" },
  40: { size: 4, encoding: "unsigned" },
  48: { size: 16, encoding: "unsigned" },
  56: { size: 8, encoding: "float" },
  64: { size: 8, encoding: "signed" },
  72: { size: 1, encoding: "signed" },
};

function unit(more: Partial<ExpressionUnit> = {}): ExpressionUnit {
  return {
    version: 5,
    addressSize: 8,
    offsetSize: 4,
    addressAt: (index) => 0x1000n * BigInt(index),
    baseType: (offset) => TYPES[offset],
    procedure: (from, offset) => Uint8Array.from(from === "unit" && offset === 0x99 ? [OP.plus_uconst, 5] : []),
    ...more,
  };
}

function context(more: Partial<ExpressionContext> = {}): ExpressionContext {
  return {
    unit: unit(),
    memory,
    register: (number) => (number === 5 ? undefined : 0x4000n + BigInt(number)),
    registerName: (number) => NAMES[number] ?? `r${number}`,
    runtime: (link) => link + 0x100_0000n,
    ...more,
  };
}

function locate(bytes: readonly number[], more: Partial<ExpressionContext> = {}) {
  return evaluateLocation(Uint8Array.from(bytes), context(more));
}

function scalar(bytes: readonly number[], more: Partial<ExpressionContext> = {}, initial: readonly bigint[] = []) {
  return evaluateScalar(Uint8Array.from(bytes), context(more), initial);
}

function reason(bytes: readonly number[], more: Partial<ExpressionContext> = {}): string {
  const location = locate(bytes, more);
  return location.kind === "unknown" ? location.reason : `no reason: ${location.kind}`;
}

// DWARF 5, appendix D.1.3 (DW_OP_ examples of D.1.2 and D.1.3), registers renumbered to those of the context.
test("the examples of the specification", () => {
  expect(locate([OP.reg0 + 3])).toEqual({ kind: "register", register: 3 });
  expect(locate([OP.regx, 54])).toEqual({ kind: "register", register: 54 });
  expect(locate([OP.addr, ...le(0x80d0045cn, 8)])).toEqual({ kind: "memory", address: 0x81d0045cn });
  expect(locate([OP.breg0 + 11, ...sleb(44)])).toEqual({ kind: "memory", address: 0x4000n + 11n + 44n });
  expect(locate([OP.fbreg, ...sleb(-50)], { frameBase: () => 0x9000n })).toEqual({ kind: "memory", address: 0x9000n - 50n });
  expect(locate([OP.bregx, 54, ...sleb(32), OP.deref])).toEqual({ kind: "memory", address: memory.u64(0x4000n + 54n + 32n) });
  expect(locate([OP.plus_uconst, ...uleb(4)])).toMatchObject({ kind: "unknown" });
  expect(locate([OP.reg0 + 3, OP.piece, 4, OP.reg0 + 10, OP.piece, 2])).toEqual({
    kind: "pieces",
    pieces: [
      { bits: 32, skip: 0, location: { kind: "register", register: 3 } },
      { bits: 16, skip: 0, location: { kind: "register", register: 10 } },
    ],
  });
  expect(locate([OP.reg0, OP.piece, 4, OP.piece, 4, OP.fbreg, ...sleb(-12), OP.piece, 4], { frameBase: () => 0x9000n })).toEqual({
    kind: "pieces",
    pieces: [
      { bits: 32, skip: 0, location: { kind: "register", register: 0 } },
      { bits: 32, skip: 0, location: { kind: "none" } },
      { bits: 32, skip: 0, location: { kind: "memory", address: 0x9000n - 12n } },
    ],
  });
  expect(locate([OP.breg0 + 1, 0, OP.breg0 + 2, 0, OP.plus, OP.stack_value])).toEqual({ kind: "value", bits: 0x8003n, type: undefined });
  expect(
    locate([OP.lit0 + 1, OP.stack_value, OP.piece, 4, OP.breg0 + 3, 0, OP.breg0 + 4, 0, OP.plus, OP.stack_value, OP.piece, 4]),
  ).toEqual({
    kind: "pieces",
    pieces: [
      { bits: 32, skip: 0, location: { kind: "value", bits: 1n, type: undefined } },
      { bits: 32, skip: 0, location: { kind: "value", bits: 0x8007n, type: undefined } },
    ],
  });
  expect(
    locate([OP.entry_value, 2, OP.breg0 + 1, 0, OP.stack_value], { entryValue: (e) => (e[0] === OP.breg0 + 1 ? 77n : undefined) }),
  ).toEqual({
    kind: "value",
    bits: 77n,
    type: undefined,
  });
  // D.13 (implicit pointers), D.1.3 (bit pieces).
  expect(locate([OP.implicit_pointer, ...le(0x1234, 4), ...sleb(8)])).toEqual({ kind: "implicit pointer", entry: 0x1234, offset: 8n });
  expect(locate([OP.reg0, OP.bit_piece, 3, 7, OP.implicit_value, 1, 0x5a, OP.bit_piece, 8, 0])).toEqual({
    kind: "pieces",
    pieces: [
      { bits: 3, skip: 7, location: { kind: "register", register: 0 } },
      { bits: 8, skip: 0, location: { kind: "bytes", bytes: Uint8Array.of(0x5a) } },
    ],
  });
  expect(locate([])).toEqual({ kind: "none" });
});

test("constants of every width, and the small ones in the operation itself", () => {
  for (let i = 0; i < 32; i++) {
    expect(scalar([OP.lit0 + i])).toBe(BigInt(i));
    if (i !== 5) expect(scalar([OP.breg0 + i, ...sleb(-i)])).toBe(0x4000n);
    expect(locate([OP.reg0 + i])).toEqual({ kind: "register", register: i });
  }
  [OP.const1u, OP.const2u, OP.const4u, OP.const8u].forEach((operation, i) => {
    expect(scalar([operation, ...le(-2, 1 << i)])).toBe(2n ** BigInt(8 << i) - 2n);
  });
  [OP.const1s, OP.const2s, OP.const4s, OP.const8s].forEach((operation, i) => {
    expect(scalar([operation, ...le(-2, 1 << i)])).toBe(MASK - 1n);
  });
  expect(scalar([OP.constu, ...uleb(MASK)])).toBe(MASK);
  expect(scalar([OP.constu, 0x80, 0x80, 0x00])).toBe(0n);
  expect(scalar([OP.consts, ...sleb(-(2n ** 63n))])).toBe(2n ** 63n);
  expect(scalar([OP.addrx, 3])).toBe(0x100_3000n);
  expect(scalar([OP.constx, 3])).toBe(0x3000n);
});

test("moving values on the stack", () => {
  const three = [...push(1), ...push(2), ...push(3)];
  expect(scalar([...three, OP.dup, OP.mul])).toBe(9n);
  expect(scalar([...three, OP.drop])).toBe(2n);
  expect(scalar([...three, OP.over])).toBe(2n);
  expect(scalar([...three, OP.pick, 2])).toBe(1n);
  expect(scalar([...three, OP.swap])).toBe(2n);
  expect(scalar([...three, OP.swap, OP.drop])).toBe(3n);
  // 1 2 3 becomes 3 1 2.
  expect(scalar([...three, OP.rot])).toBe(2n);
  expect(scalar([...three, OP.rot, OP.drop])).toBe(1n);
  expect(scalar([...three, OP.rot, OP.drop, OP.drop])).toBe(3n);
});

test.each([
  [OP.and, 12, 10, 8],
  [OP.or, 12, 10, 14],
  [OP.xor, 12, 10, 6],
  [OP.plus, MASK, 2, 1],
  [OP.minus, 1, 2, MASK],
  [OP.mul, 2n ** 63n, 2, 0],
  [OP.mul, -3, 5, MASK - 14n],
  // Division is signed and truncates, the remainder is unsigned.
  [OP.div, -7, 2, MASK - 2n],
  [OP.mod, -1, 10, MASK % 10n],
  [OP.shl, 1, 63, 2n ** 63n],
  [OP.shl, 1, 64, 0],
  [OP.shr, -1, 63, 1],
  [OP.shr, -1, -1, 0],
  [OP.shra, -8, 1, MASK - 3n],
  [OP.shra, -8, 200, MASK],
  [OP.eq, 5, 5, 1],
  [OP.ne, 5, 5, 0],
  [OP.lt, -1, 0, 1],
  [OP.le, 0, 0, 1],
  [OP.gt, -1, 0, 0],
  [OP.ge, 0, -1, 1],
])("operation %# on two words", (operation, left, right, result) => {
  expect(scalar([...push(BigInt.asIntN(64, BigInt(left))), ...push(BigInt.asIntN(64, BigInt(right))), operation])).toBe(BigInt(result));
});

test("operations on one word, and reads of memory", () => {
  expect(scalar([...push(-5), OP.abs])).toBe(5n);
  expect(scalar([...push(5), OP.abs])).toBe(5n);
  expect(scalar([...push(5), OP.neg])).toBe(MASK - 4n);
  expect(scalar([...push(5), OP.not])).toBe(MASK - 5n);
  expect(scalar([...push(-1), OP.plus_uconst, ...uleb(300)])).toBe(299n);
  expect(scalar([...push(0x2000), OP.deref])).toBe(memory.u64(0x2000n));
  for (let size = 1; size <= 8; size++) {
    expect(scalar([...push(0x2001), OP.deref_size, size])).toBe(BigInt.asUintN(8 * size, memory.u64(0x2001n)));
  }
  expect(reason([...push(0x10), OP.deref])).toContain("virtual address 0000000000000010: not mapped");
});

test("jumps, forwards, backwards, and no end", () => {
  expect(scalar([...push(7), OP.skip, ...le(2, 2), ...push(8)])).toBe(7n);
  expect(scalar([...push(7), ...push(1), OP.bra, ...le(2, 2), ...push(8)])).toBe(7n);
  expect(scalar([...push(7), ...push(0), OP.bra, ...le(2, 2), ...push(8)])).toBe(8n);
  // 10 counted down to 0: dup is at byte 2.
  expect(scalar([...push(10), OP.lit0 + 1, OP.minus, OP.dup, OP.bra, ...le(-6, 2)])).toBe(0n);
  expect(reason([OP.skip, ...le(-3, 2)])).toContain("does not end");
  expect(reason([OP.skip, ...le(5, 2)])).toContain("expected a position");
  expect(reason([OP.lit0, OP.skip, ...le(-4, 2)])).toContain("stack grows");
});

test("typed operations keep width and sign of their base type, GNU's numbers as the standard's", () => {
  const twin = new Map<number, number>([
    [OP.const_type, 0xf4],
    [OP.regval_type, 0xf5],
    [OP.deref_type, 0xf6],
    [OP.convert, 0xf7],
    [OP.reinterpret, 0xf9],
  ]);
  for (const number of [(each: number) => each, (each: number) => twin.get(each) as number]) {
    const constant = (type: number, value: bigint, size: number) => [number(OP.const_type), type, size, ...le(value, size)];
    const signed = (value: bigint) => constant(0x20, value, 4);
    const unsigned = (value: bigint) => constant(0x28, value, 4);
    expect(scalar(signed(-2n))).toBe(MASK - 1n);
    expect(scalar(unsigned(-2n))).toBe(0xffff_fffen);
    expect(scalar([...unsigned(-2n), ...unsigned(3n), OP.plus])).toBe(1n);
    expect(scalar([...unsigned(-2n), ...unsigned(2n), OP.div])).toBe(0x7fff_ffffn);
    expect(scalar([...signed(-7n), ...signed(2n), OP.mod])).toBe(MASK);
    expect(scalar([...unsigned(-1n), ...unsigned(0n), OP.gt])).toBe(1n);
    expect(scalar([...signed(-1n), ...signed(0n), OP.gt])).toBe(0n);
    expect(scalar([...signed(-8n), OP.lit0 + 1, OP.shr])).toBe(0x7fff_fffcn);
    expect(scalar([...signed(-8n), OP.lit0 + 1, OP.shra])).toBe(MASK - 3n);
    expect(scalar([number(OP.regval_type), 3, 0x48])).toBe(3n);
    expect(scalar([...push(0x2000), number(OP.deref_type), 4, 0x28])).toBe(BigInt(memory.u32(0x2000n)));
    expect(scalar([...signed(-1n), number(OP.convert), 0x40])).toBe(MASK);
    expect(scalar([...signed(-1n), number(OP.convert), 0])).toBe(MASK);
    expect(scalar([...signed(-1n), number(OP.reinterpret), 0x28])).toBe(0xffff_ffffn);
    // The high half of a product of 64 bits, as GCC describes mul_u64_u64_shr().
    const wide = [...push(-1), number(OP.convert), 0x30, OP.dup, OP.mul, ...push(64), OP.shr, number(OP.convert), 0];
    expect(scalar(wide)).toBe(MASK - 1n);
    expect(reason([...signed(1n), ...push(1), OP.plus])).toContain("different types");
    expect(reason([...push(1), number(OP.convert), 0x38])).toContain("floating-point");
    expect(reason([...signed(1n), number(OP.reinterpret), 0])).toContain("another size");
    expect(reason([number(OP.convert), 0x77])).toContain("DWARF expression");
    expect(reason([...constant(0x38, 5n, 8), OP.dup, OP.plus])).toContain("floating-point");
  }
  // LLVM mixes untyped words with 64-bit types.
  expect(scalar([OP.const_type, 0x40, 1, 7, ...push(2), OP.div])).toBe(3n);
});

test("what only the context knows, and what is said when it does not", () => {
  expect(scalar([OP.call_frame_cfa, OP.plus_uconst, 8], { cfa: () => 0x7000n })).toBe(0x7008n);
  expect(reason([OP.call_frame_cfa])).toContain("canonical address");
  expect(reason([OP.fbreg, 0])).toContain("frame base");
  expect(reason([OP.breg0 + 5, 0])).toBe("needs rdi, which this frame does not have");
  expect(reason([OP.bregx, 5, 0])).toBe("needs rdi, which this frame does not have");
  expect(() => scalar([OP.reg0 + 5])).toThrow("needs rdi, which this frame does not have");
  for (const entry of [OP.entry_value, 0xf3]) {
    expect(reason([entry, 1, OP.reg0 + 5])).toBe("needs the value that rdi had on entry to the function, which is not known");
    expect(scalar([entry, 1, OP.reg0 + 5], { entryValue: (e) => (registerOf(e) === 5 ? 9n : undefined) })).toBe(9n);
  }
  expect(scalar([OP.GNU_parameter_ref, ...le(0x55, 4)], { parameterValue: (e) => BigInt(e) })).toBe(0x55n);
  expect(reason([OP.GNU_parameter_ref, ...le(0x55, 4)])).toContain("what the caller passed");
  expect(scalar([OP.GNU_variable_value, ...le(0x66, 4)], { variableValue: (e) => BigInt(e) })).toBe(0x66n);
  expect(scalar([OP.push_object_address], { objectAddress: () => 3n })).toBe(3n);
  expect(reason([OP.push_object_address])).toContain("object");
  expect(scalar([OP.plus_uconst, 8], {}, [0x10n])).toBe(0x18n);
  expect(locate([0xf2, ...le(0x10, 8), 4], { unit: unit({ offsetSize: 8 }) })).toEqual({
    kind: "implicit pointer",
    entry: 0x10,
    offset: 4n,
  });
  expect(locate([0xf2, ...le(0x10, 8), 4], { unit: unit({ version: 2 }) })).toEqual({ kind: "implicit pointer", entry: 0x10, offset: 4n });
  expect(scalar([0xfb, 2])).toBe(0x100_2000n);
  expect(scalar([0xfc, 2])).toBe(0x2000n);
  expect(() => scalar([0xf2, ...le(0x10, 4), 0])).toThrow("optimized out");
});

test("calls run on the same stack and end", () => {
  expect(scalar([...push(1), OP.call2, ...le(0x99, 2)])).toBe(6n);
  expect(scalar([...push(1), OP.call4, ...le(0x99, 4)])).toBe(6n);
  expect(scalar([...push(1), OP.call_ref, ...le(0x99, 4)])).toBe(1n);
  const ring = unit({ procedure: () => Uint8Array.from([OP.call2, 0, 0]) });
  expect(reason([OP.call2, 0, 0], { unit: ring })).toContain("nest deeper");
});

test("what is not understood is refused with its reason, never answered", () => {
  for (const operation of [0x00, 0x01, 0x18, 0x95, 0xa7, 0xaa, 0xdf, 0xe1, 0xe9, 0xed, 0xff]) {
    expect(reason([...push(1), ...push(1), operation, 8, 8, 8])).toContain("is not understood");
  }
  expect(reason([...push(1), OP.form_tls_address])).toContain("user mode");
  expect(reason([...push(1), OP.GNU_push_tls_address])).toContain("user mode");
  expect(reason([OP.plus])).toContain("empty stack");
  expect(reason([OP.pick, 9])).toContain("empty stack");
  expect(reason([OP.reg0, OP.lit0])).toContain("follows a location");
  expect(reason([OP.reg0, OP.piece, 4, OP.lit0])).toContain("behind its last piece");
  expect(reason([OP.implicit_value, 9, 1])).toContain("expected 9 bytes");
  expect(reason([OP.const8u, 1])).toContain("expected 8 bytes");
  expect(reason([...push(1), ...push(0), OP.div])).toContain("divides by zero");
  expect(reason([...push(1), ...push(0), OP.mod])).toContain("divides by zero");
  expect(reason([...push(0x2000), OP.deref_size, 9])).toContain("9 bytes");
  expect(reason([OP.constu, ...Array(20).fill(0x80)])).toContain("LEB128");
  expect(reason([OP.piece, ...uleb(2n ** 60n)])).toContain("a piece of");
  expect(reason([OP.addrx, 1], { unit: undefined })).toContain("outside a unit");
  expect(() => scalar([])).toThrow("empty");
  expect(() => scalar([OP.reg0, OP.piece, 4])).toThrow("no number");
});

test("nop and GNU_uninit say nothing; implicit values are numbers up to a word", () => {
  expect(locate([OP.reg0 + 1, OP.GNU_uninit])).toEqual({ kind: "register", register: 1 });
  expect(locate([OP.nop, OP.breg0, 0, OP.nop])).toEqual({ kind: "memory", address: 0x4000n });
  expect(scalar([OP.implicit_value, 3, 1, 2, 3])).toBe(0x030201n);
  expect(() => scalar([OP.implicit_value, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9])).toThrow("no number");
});

test("every defined operation is either evaluated or refused, and no sequence of bytes hangs or throws", () => {
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return seed >> 8;
  };
  for (let round = 0; round < 4_000; round++) {
    const bytes = Array.from({ length: 1 + (random() % 24) }, () => random() & 0xff);
    expect(() => locate(bytes, { cfa: () => 0x5000n, frameBase: () => 0x6000n })).not.toThrow();
  }
  expect(operationName(0x35)).toBe("DW_OP_lit5");
  expect(operationName(0x9f)).toBe("DW_OP_stack_value");
  expect(operationName(0xed)).toBe("DWARF operation 0xed");
});

test("a register alone is recognised", () => {
  expect(registerOf(Uint8Array.of(OP.reg0 + 5))).toBe(5);
  expect(registerOf(Uint8Array.of(OP.regx, 33))).toBe(33);
  expect(registerOf(Uint8Array.of(OP.reg0 + 5, OP.piece, 4))).toBeUndefined();
  expect(registerOf(Uint8Array.of(OP.breg0 + 5, 0))).toBeUndefined();
  expect(registerOf(Uint8Array.of())).toBeUndefined();
});
