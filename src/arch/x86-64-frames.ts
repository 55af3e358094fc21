/**
 * What x86-64 machine code tells about a stack: was the word before a return address a call, and how far is a function's prologue.
 * Source: Intel SDM volume 2 (CALL, PUSH, RET encodings); arch/x86/include/asm/ftrace.h for the five-byte call or nop at the start.
 *
 *   [endbr64] [call __fentry__ | nop5] push %rbp; mov %rsp,%rbp; …      a function with a frame pointer
 *   0         4                        9         10              13
 */

/** Longest call instruction considered before a return address: prefix, opcode, ModRM, SIB, disp32. */
export const X86_LONGEST_CALL = 8;

/**
 * How a call instruction ends at the end of `before` (the bytes right before a return address): "direct" with its displacement,
 * "indirect", or undefined when no call ends there.
 */
export function x86CallBefore(
  before: Uint8Array,
): { readonly kind: "direct"; readonly displacement: number } | { readonly kind: "indirect" } | undefined {
  const end = before.length;
  if (end >= 5 && before[end - 5] === 0xe8) {
    const view = new DataView(before.buffer, before.byteOffset, before.byteLength);
    return { kind: "direct", displacement: view.getInt32(end - 4, true) };
  }
  // ff /2 with each length that its ModRM can have.
  for (let length = 2; length <= 7; length++) {
    const at = end - length;
    if (at < 0 || before[at] !== 0xff) continue;
    const modrm = before[at + 1] as number;
    if (((modrm >> 3) & 7) === 2 && modrmLength(modrm, before[at + 2]) + 1 === length) return { kind: "indirect" };
  }
  return undefined;
}

/** Bytes of ModRM, SIB and displacement. */
function modrmLength(modrm: number, sib: number | undefined): number {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 3) return 1;
  const withSib = rm === 4 ? 1 : 0;
  if (mod === 1) return 2 + withSib;
  if (mod === 2) return 5 + withSib;
  if (rm === 5) return 5;
  return 1 + withSib + (withSib === 1 && sib !== undefined && (sib & 7) === 5 ? 4 : 0);
}

/** Five-byte no-operations that ftrace writes over `call __fentry__`: the usual one, and those of older kernels by kind of CPU. */
const FTRACE_NOPS = ["0f1f440000", "6666666690", "3e8d742600"];

/** endbr64, and what replaces it where no indirect call may land (5.18; since 6.15). */
const LANDINGS = ["f30f1efa", "660f1f00", "0f1f40d6"];

/** Bytes of endbr64 and of the call to __fentry__ (or the no-operation in its place) at a function's start. */
function bodyStart(code: Uint8Array): number {
  const hex = Array.from(code.subarray(0, 9), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const at = LANDINGS.includes(hex.slice(0, 8)) ? 4 : 0;
  const next = hex.slice(at * 2, at * 2 + 10);
  return next.length === 10 && (next.startsWith("e8") || FTRACE_NOPS.includes(next)) ? at + 5 : at;
}

/** Where the return address lies for code of a function with a frame pointer that stands still in its prologue or at its return. */
export type X86FrameSetup = "before push" | "after push" | "set up";

/**
 * Judges by the bytes from the function's start up to the pc (`code`, at most the first 32 are looked at), and by the opcode at the pc.
 * Used only where the kernel itself relies on frame pointers (no ORC).
 */
export function x86FrameSetup(code: Uint8Array, pcOffset: number, opcodeAtPc: number | undefined): X86FrameSetup {
  if (opcodeAtPc === 0xc3) return "before push";
  const at = bodyStart(code);
  if (code[at] !== 0x55) return pcOffset === 0 ? "before push" : "set up";
  if (pcOffset <= at) return "before push";
  return pcOffset < at + 4 ? "after push" : "set up";
}

/** What a function's prologue puts on the stack below its return address. */
export interface X86Prologue {
  /** Registers in the order they are pushed (DWARF numbers). */
  readonly pushed: readonly number[];
  /** Bytes of `sub $n, %rsp`. */
  readonly locals: number;
}

/** DWARF numbers by the number that instructions use (rax rcx rdx rbx rsp rbp rsi rdi, r8 …). */
const DWARF_OF_ENCODING = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];

/**
 * Reads a prologue: pushes, then at most one `sub $n, %rsp`, with moves between registers, of constants and of zero between them. Ends at
 * the first instruction of another kind, so that nothing behind a branch counts.
 * @param code bytes from the function's start; only what was run before the pc may be in it
 */
export function x86Prologue(code: Uint8Array): X86Prologue {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const pushed: number[] = [];
  let at = bodyStart(code);
  while (at < code.length) {
    const rex = ((code[at] as number) & 0xf0) === 0x40 ? (code[at] as number) : 0;
    const start = rex === 0 ? at : at + 1;
    const opcode = code[start];
    const modrm = code[start + 1] ?? 0;
    if (opcode === undefined) break;
    if (opcode >= 0x50 && opcode <= 0x57) {
      pushed.push(DWARF_OF_ENCODING[(opcode & 7) | ((rex & 1) << 3)] as number);
      at = start + 1;
    } else if (opcode === 0x83 && modrm === 0xec && (rex & 8) !== 0 && start + 3 <= code.length) {
      return { pushed, locals: view.getInt8(start + 2) };
    } else if (opcode === 0x81 && modrm === 0xec && (rex & 8) !== 0 && start + 6 <= code.length) {
      return { pushed, locals: view.getInt32(start + 2, true) };
    } else if ([0x89, 0x8b, 0x31, 0x33].includes(opcode) && modrm >= 0xc0) {
      at = start + 2;
    } else if (opcode >= 0xb8 && opcode <= 0xbf) {
      at = start + ((rex & 8) !== 0 ? 9 : 5);
    } else {
      break;
    }
  }
  return { pushed, locals: 0 };
}
