/**
 * Takes x86-64 instructions apart as far as their length and operands' registers, without a disassembler: for code that looks through whole
 * functions while a stack is unwound. Source: Intel SDM volume 2, appendix A (opcode maps), 2.1 to 2.7 (prefixes, ModRM, SIB, VEX, EVEX).
 *
 *   [66 67 f0 f2 f3 2e 36 3e 26 64 65]… [REX | VEX | EVEX] opcode [ModRM [SIB] [displacement]] [immediate]
 */

/** One instruction's parts. The decoder fills the same object again and again. */
export interface X86Instruction {
  /** Bytes; 0 for what is no instruction of 64-bit mode, or goes on beyond the code. */
  size: number;
  /** 0: one-byte opcodes; 1: 0f; 2: 0f 38; 3: 0f 3a. -1 for those with VEX or EVEX, whose operands are of no interest here. */
  map: number;
  opcode: number;
  /** REX prefix, or 0. */
  rex: number;
  /** -1 without one. */
  modrm: number;
  /** Base register of a memory operand by its encoding, -1 when it has none, an index, or is relative to rip. */
  base: number;
  displacement: number;
  /** Sign-extended; the target's distance for branches. Only those of up to four bytes. */
  immediate: number;
}

/** What follows an opcode: 1 ModRM, then an immediate: 2 one byte, 4 two or four by operand size, 8 special. 128: no instruction. */
const MODRM = 1;
const IMM8 = 2;
const IMMZ = 4;
const SPECIAL = 8;
const INVALID = 128;

const ONE = table(0, [
  ...Array.from({ length: 8 }, (_, i): Rule[] => [
    [i * 8, i * 8 + 3, MODRM],
    [i * 8 + 4, i * 8 + 4, IMM8],
    [i * 8 + 5, i * 8 + 5, IMMZ],
    [i * 8 + 6, i * 8 + 7, INVALID],
  ]).flat(),
  [0x60, 0x62, INVALID],
  [0x63, 0x63, MODRM],
  [0x68, 0x68, IMMZ],
  [0x69, 0x69, MODRM | IMMZ],
  [0x6a, 0x6a, IMM8],
  [0x6b, 0x6b, MODRM | IMM8],
  [0x70, 0x7f, IMM8],
  [0x80, 0x80, MODRM | IMM8],
  [0x81, 0x81, MODRM | IMMZ],
  [0x82, 0x82, INVALID],
  [0x83, 0x83, MODRM | IMM8],
  [0x84, 0x8f, MODRM],
  [0x9a, 0x9a, INVALID],
  [0xa0, 0xa3, SPECIAL],
  [0xa8, 0xa8, IMM8],
  [0xa9, 0xa9, IMMZ],
  [0xb0, 0xb7, IMM8],
  [0xb8, 0xbf, SPECIAL],
  [0xc0, 0xc1, MODRM | IMM8],
  [0xc2, 0xc2, SPECIAL],
  [0xc6, 0xc6, MODRM | IMM8],
  [0xc7, 0xc7, MODRM | IMMZ],
  [0xc8, 0xc8, SPECIAL],
  [0xca, 0xca, SPECIAL],
  [0xcd, 0xcd, IMM8],
  [0xce, 0xce, INVALID],
  [0xd0, 0xd3, MODRM],
  [0xd4, 0xd6, INVALID],
  [0xd8, 0xdf, MODRM],
  [0xe0, 0xe7, IMM8],
  [0xe8, 0xe9, SPECIAL],
  [0xea, 0xea, INVALID],
  [0xeb, 0xeb, IMM8],
  [0xf6, 0xf7, MODRM | SPECIAL],
  [0xfe, 0xff, MODRM],
]);

const TWO = table(MODRM, [
  [0x04, 0x04, INVALID],
  [0x05, 0x09, 0],
  [0x0a, 0x0a, INVALID],
  [0x0b, 0x0b, 0],
  [0x0c, 0x0c, INVALID],
  [0x0e, 0x0e, 0],
  [0x0f, 0x0f, MODRM | IMM8],
  [0x24, 0x27, INVALID],
  [0x30, 0x37, 0],
  [0x39, 0x39, INVALID],
  [0x3b, 0x3f, INVALID],
  [0x70, 0x73, MODRM | IMM8],
  [0x77, 0x77, 0],
  [0x7a, 0x7b, INVALID],
  [0x80, 0x8f, SPECIAL],
  [0xa0, 0xa2, 0],
  [0xa4, 0xa4, MODRM | IMM8],
  [0xa6, 0xa7, MODRM],
  [0xa8, 0xaa, 0],
  [0xac, 0xac, MODRM | IMM8],
  [0xba, 0xba, MODRM | IMM8],
  [0xc2, 0xc2, MODRM | IMM8],
  [0xc4, 0xc6, MODRM | IMM8],
  [0xc8, 0xcf, 0],
]);

type Rule = readonly [first: number, last: number, what: number];

function table(usual: number, rules: readonly Rule[]): Uint8Array {
  const result = new Uint8Array(256).fill(usual);
  for (const [first, last, what] of rules) result.fill(what, first, last + 1);
  return result;
}

/** Longest instruction that CPUs take. */
const LONGEST = 15;

export class X86Decoder {
  readonly instruction: X86Instruction = {
    size: 0,
    map: 0,
    opcode: 0,
    rex: 0,
    modrm: -1,
    base: -1,
    displacement: 0,
    immediate: 0,
  };
  readonly #code: Uint8Array;
  readonly #view: DataView;

  constructor(code: Uint8Array) {
    this.#code = code;
    this.#view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  }

  /** Takes the instruction at an offset apart; the answer is valid until the next call. */
  at(start: number): X86Instruction {
    const found = this.instruction;
    found.size = 0;
    found.rex = 0;
    found.modrm = found.base = -1;
    found.displacement = found.immediate = 0;
    const size = this.#decode(start, found);
    found.size = start + size <= this.#code.length && size <= LONGEST ? size : 0;
    return found;
  }

  /** Bytes of the instruction, 0 when it is none; may exceed the code. */
  #decode(start: number, found: X86Instruction): number {
    const code = this.#code;
    let at = start;
    let narrow = false;
    let shortAddress = false;
    for (; ; at++) {
      const byte = code[at];
      if (byte === 0x66) narrow = true;
      else if (byte === 0x67) shortAddress = true;
      else if (byte !== 0xf0 && byte !== 0xf2 && byte !== 0xf3 && byte !== 0x64 && byte !== 0x65 && ((byte ?? 0) & 0xe7) !== 0x26) break;
      if (at - start >= LONGEST) return 0;
    }
    let opcode = code[at++];
    if (opcode === undefined) return 0;
    if ((opcode & 0xf0) === 0x40) {
      found.rex = opcode;
      opcode = code[at++];
      if (opcode === undefined) return 0;
    }
    if (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62) return this.#vector(start, at, opcode, found);
    found.map = 0;
    let what = ONE[opcode] as number;
    if (opcode === 0x0f) {
      opcode = code[at++];
      if (opcode === undefined) return 0;
      found.map = 1;
      what = TWO[opcode] as number;
      if (opcode === 0x38 || opcode === 0x3a) {
        found.map = opcode === 0x38 ? 2 : 3;
        what = opcode === 0x38 ? MODRM : MODRM | IMM8;
        opcode = code[at++];
        if (opcode === undefined) return 0;
      }
    }
    if (what === INVALID) return 0;
    found.opcode = opcode;
    if ((what & MODRM) !== 0) at = this.#modrm(at, found);
    const wide = (found.rex & 8) !== 0;
    let size = (what & IMM8) !== 0 ? 1 : (what & IMMZ) !== 0 ? (narrow && !wide ? 2 : 4) : 0;
    if ((what & SPECIAL) !== 0) size = specialSize(found, opcode, narrow, wide, shortAddress);
    this.#immediate(at, size, found);
    return at + size - start;
  }

  #immediate(at: number, size: number, found: X86Instruction): void {
    if (size === 0 || size > 4 || at + size > this.#code.length) return;
    found.immediate = size === 1 ? this.#view.getInt8(at) : size === 4 ? this.#view.getInt32(at, true) : this.#view.getInt16(at, true);
  }

  /** ModRM, SIB and displacement; the offset behind them. */
  #modrm(at: number, found: X86Instruction): number {
    const modrm = this.#code[at] ?? 0;
    found.modrm = modrm;
    const mod = modrm >> 6;
    let next = at + 1;
    if (mod === 3) return next;
    let base = modrm & 7;
    let plain = true;
    if (base === 4) {
      const sib = this.#code[next++] ?? 0;
      base = sib & 7;
      plain = ((sib >> 3) & 7) === 4 && (found.rex & 2) === 0;
    } else if (mod === 0 && base === 5) plain = false;
    const none = mod === 0 && base === 5;
    if (plain && !none) found.base = base | ((found.rex & 1) << 3);
    const size = mod === 1 ? 1 : mod === 2 || none ? 4 : 0;
    if (next + size <= this.#code.length)
      found.displacement = size === 1 ? this.#view.getInt8(next) : size === 4 ? this.#view.getInt32(next, true) : 0;
    return next + size;
  }

  /** VEX (c4, c5) and EVEX (62): length only. */
  #vector(start: number, after: number, prefix: number, found: X86Instruction): number {
    const payload = this.#code[after] ?? 0;
    const length = prefix === 0xc5 ? 1 : prefix === 0xc4 ? 2 : 3;
    const map = prefix === 0xc5 ? 1 : prefix === 0xc4 ? payload & 0x1f : payload & 7;
    const opcode = this.#code[after + length] ?? 0;
    found.map = -1;
    found.opcode = opcode;
    // vzeroupper alone has no ModRM.
    if (map === 1 && opcode === 0x77) return after + length + 1 - start;
    const at = this.#modrm(after + length + 1, found);
    const immediate = map === 3 || (map === 1 && ((TWO[opcode] as number) & IMM8) !== 0);
    return at + (immediate ? 1 : 0) - start;
  }
}

/** Immediates whose size has a rule of its own. */
function specialSize({ map, modrm }: X86Instruction, opcode: number, narrow: boolean, wide: boolean, shortAddress: boolean): number {
  // Branches have four bytes whatever the prefix.
  if (map === 1) return 4;
  switch (opcode) {
    case 0xc2:
    case 0xca:
      return 2;
    case 0xc8:
      return 3;
    case 0xe8:
    case 0xe9:
      return 4;
    case 0xf6:
      return (modrm & 0x30) === 0 ? 1 : 0;
    case 0xf7:
      return (modrm & 0x30) === 0 ? (narrow && !wide ? 2 : 4) : 0;
  }
  // mov of an immediate; mov between the accumulator and an absolute address.
  if (opcode >= 0xb8) return wide ? 8 : narrow ? 2 : 4;
  return shortAddress ? 4 : 8;
}
