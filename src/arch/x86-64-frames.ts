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

/** Where the return address lies for code of a function with a frame pointer that stands still in its prologue or at its return. */
export type X86FrameSetup = "before push" | "after push" | "set up";

/**
 * Judges by the bytes from the function's start up to the pc (`code`, at most the first 32 are looked at), and by the opcode at the pc.
 * Used only where the kernel itself relies on frame pointers (no ORC).
 */
export function x86FrameSetup(code: Uint8Array, pcOffset: number, opcodeAtPc: number | undefined): X86FrameSetup {
  if (opcodeAtPc === 0xc3) return "before push";
  let at = 0;
  if (code[at] === 0xf3 && code[at + 1] === 0x0f && code[at + 2] === 0x1e && code[at + 3] === 0xfa) at += 4;
  if (code[at] === 0xe8 || (code[at] === 0x0f && code[at + 1] === 0x1f && code[at + 2] === 0x44)) at += 5;
  if (code[at] !== 0x55) return pcOffset === 0 ? "before push" : "set up";
  if (pcOffset <= at) return "before push";
  return pcOffset < at + 4 ? "after push" : "set up";
}
