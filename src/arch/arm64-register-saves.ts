/**
 * arm64 for the flow of saved registers (register-saves.ts): pairs and single registers stored on the stack, changes of sp and x29,
 * branches. Source: Arm Architecture Reference Manual, C4.1 (A64 encodings).
 *
 *   stp x29, x30, [sp, #-48]!     mov x29, sp     stp x19, x20, [sp, #16]     str x21, [sp, #32]     …     ldp x29, x30, [sp], #48
 */
import { FP, LR, X19 } from "./arm64-registers.ts";
import type { Effect, FlowInstruction, FlowMachine, Way } from "./register-effects.ts";

const WATCHED: readonly number[] = [...Array.from({ length: 10 }, (_, i) => X19 + i), FP, LR];
/** The stack pointer as a base, and as what an addition gives. */
const SP = 31;

const NONE: readonly Effect[] = [];
const UNKNOWN_SP: readonly Effect[] = [{ kind: "sp unknown" }];
const CALL: readonly Effect[] = [{ kind: "write", register: LR }];
const PLAIN: FlowInstruction = { size: 4, way: "on", target: 0, effects: NONE };

/** The code that is being followed, as words. */
let current: { readonly code: Uint8Array; readonly view: DataView } | undefined;

export const ARM64_SAVES: FlowMachine = {
  entryDepth: 0,
  watched: WATCHED,
  frameRegister: FP,
  decode(code, offset) {
    if (offset + 4 > code.length) return undefined;
    if (current?.code !== code) current = { code, view: new DataView(code.buffer, code.byteOffset, code.byteLength) };
    const word = current.view.getUint32(offset, true);
    const branch = branchOf(word, offset);
    if (branch !== undefined) return branch;
    const effects = effectsOf(word);
    return effects === NONE ? PLAIN : { size: 4, way: "on", target: 0, effects };
  },
};

/** Bits high … low of a word. */
function bits(word: number, high: number, low: number): number {
  return (word >>> low) & (2 ** (high - low + 1) - 1);
}

function signedBits(word: number, high: number, low: number): number {
  return (word << (31 - high)) >> (31 - high + low);
}

function matches(word: number, mask: number, value: number): boolean {
  return (word & mask) >>> 0 === value;
}

function branchOf(word: number, offset: number): FlowInstruction | undefined {
  const to = (way: Way, words: number, effects = NONE): FlowInstruction => ({ size: 4, way, target: offset + words * 4, effects });
  const plain = (way: Way, effects = NONE): FlowInstruction => ({ size: 4, way, target: 0, effects });
  if (matches(word, 0xfc00_0000, 0x1400_0000)) return to("jump", signedBits(word, 25, 0));
  if (matches(word, 0xfc00_0000, 0x9400_0000)) return to("call", signedBits(word, 25, 0), CALL);
  if (matches(word, 0xff00_0000, 0x5400_0000) || matches(word, 0x7e00_0000, 0x3400_0000)) return to("branch", signedBits(word, 23, 5));
  if (matches(word, 0x7e00_0000, 0x3600_0000)) return to("branch", signedBits(word, 18, 5));
  // udf: what is no code. brk #0x800: a bug report; warnings return from it, but then little of interest follows.
  if (matches(word, 0xffff_0000, 0) || word >>> 0 === 0xd421_0000) return plain("out");
  if (!matches(word, 0xfe00_0000, 0xd600_0000)) return undefined;
  // br, blr, ret, eret; with bit 24 the forms that check an authentication code.
  const kind = bits(word, 23, 21);
  return kind === 1 ? plain("on", CALL) : plain("return");
}

function effectsOf(word: number): readonly Effect[] {
  if (matches(word, 0x3a00_0000, 0x2800_0000)) return pair(word);
  if (matches(word, 0x3b00_0000, 0x3900_0000)) return single(word, bits(word, 21, 10) << size(word), "offset");
  if (matches(word, 0x3b20_0000, 0x3800_0000)) {
    const mode = bits(word, 11, 10);
    return single(word, signedBits(word, 20, 12), mode === 1 ? "after" : mode === 3 ? "before" : "offset");
  }
  // Loads with a register as offset, of literals, atomic ones; stores among them write a status or nothing.
  if (matches(word, 0x3b20_0000, 0x3820_0000) || matches(word, 0x3b00_0000, 0x1800_0000)) return general(word) ? written(word & 31) : NONE;
  if (matches(word, 0x3f00_0000, 0x0800_0000))
    return [...written(word & 31), ...written(bits(word, 20, 16)), ...written(bits(word, 14, 10))];
  if (matches(word, 0x7f80_0000, 0x1100_0000) || matches(word, 0x7f80_0000, 0x5100_0000)) return addition(word);
  // Logical immediates but ands, and additions of an extended register without flags, may give the stack pointer.
  const logical = matches(word, 0x1f80_0000, 0x1200_0000) && bits(word, 30, 29) !== 3;
  if ((logical || matches(word, 0x3fe0_0000, 0x0b20_0000)) && (word & 31) === SP) return UNKNOWN_SP;
  if (matches(word, 0x1c00_0000, 0x1000_0000)) return written(word & 31);
  // ccmp and ccmn give flags only.
  if (matches(word, 0x0e00_0000, 0x0a00_0000)) return matches(word, 0x1fe0_0000, 0x1a40_0000) ? NONE : written(word & 31);
  // mrs
  return matches(word, 0xfff0_0000, 0xd530_0000) ? written(word & 31) : NONE;
}

/** Is it a load or store of a general register, and not of a vector one? */
function general(word: number): boolean {
  return bits(word, 26, 26) === 0;
}

/** Bytes of a single load or store, as a shift. */
function size(word: number): number {
  return general(word) ? bits(word, 31, 30) : bits(word, 31, 30) | (bits(word, 23, 23) << 2);
}

function written(register: number): readonly Effect[] {
  return WATCHED.includes(register) ? [{ kind: "write", register }] : NONE;
}

/** stp, ldp and their like. */
function pair(word: number): readonly Effect[] {
  const opcode = bits(word, 31, 30);
  const load = bits(word, 22, 22) === 1;
  const mode = bits(word, 24, 23);
  const scale = general(word) ? (opcode === 2 ? 3 : 2) : 2 + opcode;
  const offset = signedBits(word, 21, 15) * 2 ** scale;
  const whole = general(word) && opcode === 2;
  const registers = general(word) ? [word & 31, bits(word, 14, 10)] : [];
  return transfer(word, registers, load, whole, offset, mode === 1 ? "after" : mode === 3 ? "before" : "offset");
}

/** ldr, str and their like. */
function single(word: number, offset: number, mode: Mode): readonly Effect[] {
  const opcode = bits(word, 23, 22);
  // prfm
  if (general(word) && bits(word, 31, 30) === 3 && opcode >= 2) return NONE;
  const registers = general(word) ? [word & 31] : [];
  return transfer(word, registers, opcode !== 0, bits(word, 31, 30) === 3, offset, mode);
}

/** When the base register is moved by the offset: not, before the access, after it. */
type Mode = "offset" | "before" | "after";

function transfer(
  word: number,
  registers: readonly number[],
  load: boolean,
  whole: boolean,
  offset: number,
  mode: Mode,
): readonly Effect[] {
  const base = bits(word, 9, 5);
  const effects: Effect[] = [];
  const moved = (): void => {
    if (base === SP) effects.push({ kind: "sp add", bytes: offset });
    else effects.push(...written(base));
  };
  if (mode === "before") moved();
  registers.forEach((register, index) => {
    if (!WATCHED.includes(register)) return;
    const at = (mode === "offset" ? offset : 0) + index * 8;
    // What is written back to x29 makes it another frame pointer: rare enough to give up.
    if (whole && (base === SP || (base === FP && mode === "offset"))) {
      effects.push({ kind: load ? "load" : "store", register, base: base === SP ? "sp" : "fp", offset: at });
    } else if (load) effects.push({ kind: "write", register });
  });
  if (mode === "after") moved();
  return effects.length === 0 ? NONE : effects;
}

/** add and sub of a constant; `mov x29, sp` is one. */
function addition(word: number): readonly Effect[] {
  const from = bits(word, 9, 5);
  const to = word & 31;
  const constant = bits(word, 21, 10) * (bits(word, 22, 22) === 1 ? 4096 : 1) * (bits(word, 30, 30) === 1 ? -1 : 1);
  const wide = bits(word, 31, 31) === 1;
  if (to === SP) {
    if (!wide || (from !== SP && from !== FP)) return UNKNOWN_SP;
    return [from === SP ? { kind: "sp add", bytes: constant } : { kind: "sp from fp", offset: constant }];
  }
  if (to === FP && from === SP && wide)
    return [
      { kind: "write", register: FP },
      { kind: "fp from sp", offset: constant },
    ];
  return written(to);
}
