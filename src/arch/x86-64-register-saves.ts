/**
 * x86-64 for the flow of saved registers (register-saves.ts): pushes, moves to and from the stack, changes of rsp and rbp, branches.
 * Source: Intel SDM volume 2.
 */
import type { Effect, FlowInstruction, FlowMachine, Way } from "./register-effects.ts";
import { X86Decoder, type X86Instruction } from "./x86-64-instruction.ts";
import { R12, R13, R14, R15, RBP, RBX, RSP } from "./x86-64-registers.ts";

/** DWARF numbers by the number that instructions use (rax rcx rdx rbx rsp rbp rsi rdi, r8 …). */
const DWARF = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const WATCHED: readonly number[] = [RBX, RBP, R12, R13, R14, R15];

const NONE: readonly Effect[] = [];
const UNKNOWN_SP: readonly Effect[] = [{ kind: "sp unknown" }];
const DOWN: Effect = { kind: "sp add", bytes: -8 };
const UP: Effect = { kind: "sp add", bytes: 8 };
/** Instructions that do nothing to the stack, by size. */
const PLAIN: readonly FlowInstruction[] = Array.from({ length: 16 }, (_, size) => ({ size, way: "on", target: 0, effects: NONE }));

export const X86_SAVES: FlowMachine = {
  entryDepth: 8,
  watched: WATCHED,
  frameRegister: RBP,
  decode(code, offset) {
    const instruction = decoderOf(code).at(offset);
    const { size } = instruction;
    if (size === 0) return undefined;
    const way = wayOf(instruction);
    const effects = effectsOf(instruction);
    if (way === "on" && effects === NONE) return PLAIN[size];
    return { size, way, target: way === "on" || way === "return" || way === "out" ? 0 : offset + size + instruction.immediate, effects };
  },
};

/** The decoder of the bytes that are being followed. */
let current: { readonly code: Uint8Array; readonly decoder: X86Decoder } | undefined;

function decoderOf(code: Uint8Array): X86Decoder {
  if (current?.code !== code) current = { code, decoder: new X86Decoder(code) };
  return current.decoder;
}

function wayOf({ map, opcode, modrm }: X86Instruction): Way {
  if (map === 1) {
    if (opcode >= 0x80 && opcode <= 0x8f) return "branch";
    // sysret, and ud2: a bug report. Warnings return from it, but then little of interest follows.
    return opcode === 0x07 ? "return" : opcode === 0x0b ? "out" : "on";
  }
  if (map !== 0) return "on";
  if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3)) return "branch";
  switch (opcode) {
    case 0xe8:
      return "call";
    case 0xe9:
    case 0xeb:
      return "jump";
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcf:
      return "return";
    case 0xcc:
      return "out";
    case 0xff:
      return (modrm & 0x38) === 0x20 || (modrm & 0x38) === 0x28 ? "return" : "on";
    default:
      return "on";
  }
}

/** Register of ModRM's reg field, and of its rm field where that is a register. */
function regOf({ modrm, rex }: X86Instruction): number {
  return DWARF[((modrm >> 3) & 7) | ((rex & 4) << 1)] as number;
}

function rmOf({ modrm, rex }: X86Instruction): number | undefined {
  return modrm >> 6 === 3 ? DWARF[(modrm & 7) | ((rex & 1) << 3)] : undefined;
}

function effectsOf(found: X86Instruction): readonly Effect[] {
  const { map, opcode } = found;
  if (map === 1) return twoByte(found);
  if (map !== 0) return NONE;
  if (opcode >= 0x50 && opcode <= 0x5f) return pushPop(DWARF[(opcode & 7) | ((found.rex & 1) << 3)] as number, opcode < 0x58);
  if (opcode >= 0xb8 && opcode <= 0xbf) return written(DWARF[(opcode & 7) | ((found.rex & 1) << 3)]);
  // Arithmetic between registers and memory: add or adc sbb and sub xor, not cmp.
  if (opcode < 0x38) return (opcode & 7) === 1 ? written(rmOf(found)) : (opcode & 7) === 3 ? written(regOf(found)) : NONE;
  switch (opcode) {
    case 0x68:
    case 0x6a:
    case 0x9c:
      return [DOWN];
    case 0x9d:
      return [UP];
    case 0x8f:
      return rmOf(found) === undefined ? [UP] : pushPop(rmOf(found) as number, false);
    case 0xff:
      return (found.modrm & 0x38) === 0x30 ? [DOWN] : (found.modrm & 0x38) < 0x10 ? written(rmOf(found)) : NONE;
    case 0x81:
    case 0x83:
      return constant(found);
    case 0x89:
      return rmOf(found) === undefined ? memory("store", regOf(found), found) : moved(rmOf(found) as number, regOf(found));
    case 0x8b: {
      const from = rmOf(found);
      return from === undefined ? memory("load", regOf(found), found) : moved(regOf(found), from);
    }
    case 0x8d:
      return address(found);
    case 0xc9:
      return [{ kind: "sp from fp", offset: 0 }, ...pushPop(RBP, false)];
    case 0xc8:
      return UNKNOWN_SP;
    case 0x63:
    case 0x69:
    case 0x6b:
      return written(regOf(found));
    case 0x87:
      return [...written(regOf(found)), ...written(rmOf(found))];
    case 0xc1:
    case 0xc7:
    case 0xd1:
    case 0xd3:
      return written(rmOf(found));
    case 0xf7:
      // not, neg
      return (found.modrm & 0x38) === 0x10 || (found.modrm & 0x38) === 0x18 ? written(rmOf(found)) : NONE;
    default:
      return NONE;
  }
}

/** cmov, imul, movzx, movsx, bsf … write the register of their reg field. */
function twoByte(found: X86Instruction): readonly Effect[] {
  const { opcode } = found;
  const writes = (opcode & 0xf0) === 0x40 || [0xaf, 0xb6, 0xb7, 0xb8, 0xbc, 0xbd, 0xbe, 0xbf].includes(opcode);
  return writes ? written(regOf(found)) : NONE;
}

function written(register: number | undefined): readonly Effect[] {
  if (register === RSP) return UNKNOWN_SP;
  return register === undefined || !WATCHED.includes(register) ? NONE : [{ kind: "write", register }];
}

function pushPop(register: number, push: boolean): readonly Effect[] {
  if (push) return [DOWN, { kind: "store", register, base: "sp", offset: 0 }];
  return register === RSP ? UNKNOWN_SP : [{ kind: "load", register, base: "sp", offset: 0 }, UP];
}

/** Arithmetic with a constant. */
function constant(found: X86Instruction): readonly Effect[] {
  const operation = (found.modrm >> 3) & 7;
  const register = rmOf(found);
  if (operation === 7) return NONE;
  if (register !== RSP || (found.rex & 8) === 0) return written(register);
  if (operation === 0) return [{ kind: "sp add", bytes: found.immediate }];
  return operation === 5 ? [{ kind: "sp add", bytes: -found.immediate }] : UNKNOWN_SP;
}

function moved(to: number, from: number): readonly Effect[] {
  if (to === RBP && from === RSP)
    return [
      { kind: "write", register: RBP },
      { kind: "fp from sp", offset: 0 },
    ];
  if (to === RSP) return from === RBP ? [{ kind: "sp from fp", offset: 0 }] : UNKNOWN_SP;
  return written(to);
}

function memory(kind: "store" | "load", register: number, { base, displacement, rex }: X86Instruction): readonly Effect[] {
  const from = base < 0 || (rex & 8) === 0 ? undefined : DWARF[base];
  if (register === RSP) return kind === "load" ? UNKNOWN_SP : NONE;
  if (!WATCHED.includes(register)) return NONE;
  if (from === RSP || from === RBP) return [{ kind, register, base: from === RSP ? "sp" : "fp", offset: displacement }];
  return kind === "load" ? written(register) : NONE;
}

function address(found: X86Instruction): readonly Effect[] {
  const to = regOf(found);
  const from = found.base < 0 ? undefined : DWARF[found.base];
  const offset = found.displacement;
  if (to === RSP) return from === RSP ? [{ kind: "sp add", bytes: offset }] : from === RBP ? [{ kind: "sp from fp", offset }] : UNKNOWN_SP;
  if (to === RBP && from === RSP)
    return [
      { kind: "write", register: RBP },
      { kind: "fp from sp", offset },
    ];
  return written(to);
}
