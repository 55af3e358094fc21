/**
 * What arm64 machine code tells about a stack: was the instruction before a return address a branch with link, and has an
 * interrupted function set up its frame record. Source: Arm Architecture Reference Manual (A64 encodings).
 *
 *   bl      1001 01 imm26                 blr   1101 0110 0011 1111 0000 00 Rn 00000 (and blraa … blrabz)
 *   stp x29, x30, [sp, #imm]!          stores the frame record
 *   add x29, sp, #imm  (mov x29, sp)   links it: from here on x29 leads to it
 *   ldp x29, x30, [sp], #imm           takes it back
 */

/** A branch with link: its target when it is direct, "indirect", or undefined when the word is none. */
export function arm64CallAt(instruction: number, address: bigint): bigint | "indirect" | undefined {
  const word = instruction >>> 0;
  if (word >>> 26 === 0b100101) return BigInt.asUintN(64, address + BigInt(((word & 0x03ff_ffff) << 6) >> 4));
  // blr Rn; the pointer-authenticating forms set bits 24 (modifier in Rm), 11 and 10.
  if ((word & 0xfeff_f000) >>> 0 === 0xd63f_0000) return "indirect";
  return undefined;
}

/** add x29, sp, #imm */
function linksRecord(word: number): boolean {
  return (word & 0xff80_03ff) >>> 0 === 0x9100_03fd;
}

/** ldp x29, x30, [sp], #imm or [sp, #imm]: opc 10, L 1; Rt2 = 30, Rn = 31, Rt = 29; bits 25-23: 001 post-indexed, 010 offset. */
function loadsRecord(word: number): boolean {
  const form = (word & 0xffc0_7fff) >>> 0;
  return form === 0xa8c0_7bfd || form === 0xa940_7bfd;
}

/**
 * Has the code between a function's start and the pc linked its frame record and not taken it back? Read in straight order, so a
 * function whose fast path returns early may be misjudged; callers use it only together with what the link register says.
 * @param code instruction words from the function's first to the one before the pc
 */
export function arm64RecordLinked(code: Uint32Array): boolean {
  let linked = false;
  for (let i = 0; i < code.length; i++) {
    const word = code[i] as number;
    if (linksRecord(word)) linked = true;
    // A record taken back counts only when the pc stands in this very epilogue: at most a few instructions (autiasp, ret) on.
    else if (loadsRecord(word) && code.length - i <= EPILOGUE_WORDS) linked = false;
  }
  return linked;
}

const EPILOGUE_WORDS = 4;
