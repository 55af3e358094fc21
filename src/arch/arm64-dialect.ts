/**
 * The dialect of binutils for arm64: what its text writes otherwise than capstone's (opcodes/aarch64-opc.c, binutils 2.44; learnt by
 * comparing a whole kernel, see bench/disassembly.ts).
 *
 *   capstone  stp x29, x30, [sp, #-0x30]!      here  stp x29, x30, [sp, #-48]!      offsets, shifts and bit numbers are decimal
 *             mov w0, #0x1fff                        mov w0, #0x1fff        // #8191
 *             b.hs #0xffff8000080157f8               b.cs ffff8000080157f8  // b.hs, b.nlast
 */

/** Conditions by binutils' first name, with its other names. */
const CONDITION_ALIASES: Record<string, readonly string[]> = {
  eq: ["none"],
  ne: ["any"],
  cs: ["hs", "nlast"],
  cc: ["lo", "ul", "last"],
  mi: ["first"],
  pl: ["nfrst"],
  hi: ["pmore"],
  ls: ["plast"],
  ge: ["tcont"],
  lt: ["tstop"],
};
const CONDITION_NAMES: Record<string, string> = { hs: "cs", lo: "cc" };
const CONDITIONAL = /^(csel|cset|csetm|cinc|cinv|cneg|csinc|csinv|csneg|ccmp|ccmn|fcsel|fccmpe?)$/;

/** Their plain immediates are bit positions, widths or counts, in decimal. */
const BITS =
  /^(udf|rdvl|addvl|addpl|lsl|lsr|asr|ror|extr|[su]?bfx|[su]bfiz|bfi|bfc|bfxil|[su]?bfm|tbn?z|rmif|[su]?shl+|[su]?shr|[su]?sra|[su]rshr|sli|sri|[su]shll2?|shll2?|shrn2?|[su]qshl|sqshlu|xar)$/;
const LOGICAL = /^(ands?|orr|eor|tst|bics?|orn|eon)$/;

/** HINT numbers that have a name in binutils and none in capstone. */
const HINTS: Record<string, string> = { "0x16": "clrbhb", "0x28": "chkfeat\tx16" };

/** System registers that binutils names and capstone does not. */
const SYSTEM_REGISTERS: Record<string, string> = { s3_0_c0_c3_5: "id_dfr1_el1", s3_4_c3_c1_6: "hafgrtr_el2" };

export interface Arm64Text {
  readonly mnemonic: string;
  /** Without the target. */
  readonly operands: string;
  readonly target: bigint | undefined;
  readonly note: string | undefined;
}

/** Rewrites capstone's mnemonic and operands. @param word the instruction itself */
export function arm64Dialect(mnemonic: string, text: string, word: number): Arm64Text {
  if (mnemonic === "hint" && HINTS[text.slice(1)] !== undefined) {
    const [name, operands] = (HINTS[text.slice(1)] as string).split("\t");
    return { mnemonic: name as string, operands: operands ?? "", target: undefined, note: undefined };
  }
  if (mnemonic.startsWith("b.") || mnemonic.startsWith("bc.")) return conditionalBranch(mnemonic, text);
  if (isRelative(mnemonic, text)) {
    const at = text.lastIndexOf("#");
    return {
      mnemonic,
      operands: immediates(mnemonic, text.slice(0, at)),
      target: BigInt.asUintN(64, BigInt(text.slice(at + 1))),
      note: undefined,
    };
  }
  if (mnemonic === "mov") {
    const moved = /^([wx])(\w+, #)(-?)(0x[0-9a-f]+|\d+)$/.exec(text);
    const logical = logicalImmediate(word);
    if (moved !== null && logical !== undefined) return moveImmediate(moved[1] === "w" ? 32 : 64, `${moved[1]}${moved[2]}`, logical);
    if (moved !== null)
      return moveImmediate(
        moved[1] === "w" ? 32 : 64,
        `${moved[1]}${moved[2]}`,
        BigInt(moved[4] as string) * (moved[3] === "-" ? -1n : 1n),
      );
  }
  if (mnemonic === "mrs" || mnemonic === "msr") text = text.replace(/s\d_\d_c\d+_c\d+_\d/, (name) => SYSTEM_REGISTERS[name] ?? name);
  if (CONDITIONAL.test(mnemonic)) {
    const at = text.lastIndexOf(" ") + 1;
    const condition = CONDITION_NAMES[text.slice(at)] ?? text.slice(at);
    const aliases = CONDITION_ALIASES[condition];
    const note = aliases === undefined ? undefined : `\t// ${condition} = ${aliases.join(", ")}`;
    return { mnemonic, operands: immediates(mnemonic, text.slice(0, at)) + condition, target: undefined, note };
  }
  return { mnemonic, operands: immediates(mnemonic, text), target: undefined, note: undefined };
}

function conditionalBranch(mnemonic: string, text: string): Arm64Text {
  const [kind, given] = mnemonic.split(".") as [string, string];
  const condition = CONDITION_NAMES[given] ?? given;
  const aliases = CONDITION_ALIASES[condition];
  return {
    mnemonic: `${kind}.${condition}`,
    operands: "",
    target: BigInt.asUintN(64, BigInt(text.slice(1))),
    note: aliases === undefined ? undefined : `  // ${aliases.map((name) => `${kind}.${name}`).join(", ")}`,
  };
}

/** Its last operand is an address relative to the instruction. */
function isRelative(mnemonic: string, text: string): boolean {
  if (!/(?:^|, )#0x[0-9a-f]+$/.test(text) || text.includes("[")) return false;
  return /^(b|bl|cbn?z|tbn?z|adrp?)$/.test(mnemonic) || (/^(ldr|ldrsw|prfm)$/.test(mnemonic) && text.includes(","));
}

function moveImmediate(bits: number, prefix: string, value: bigint): Arm64Text {
  const hex = BigInt.asUintN(bits, value).toString(16);
  return { mnemonic: "mov", operands: `${prefix}0x${hex.padEnd(20)}`, target: undefined, note: `\t// #${BigInt.asIntN(bits, value)}` };
}

/** Numbers as binutils writes them: decimal for offsets, shifts and bit positions, else hex. */
function immediates(mnemonic: string, text: string): string {
  if (!text.includes("#")) return text;
  const bits = BITS.test(mnemonic);
  const width = LOGICAL.test(mnemonic) && text.startsWith("w") ? 32 : 64;
  return text.replace(/#(-?)(0x[0-9a-f]+|\d+)(?![\d.])/g, (_all, minus: string, digits: string, at: number) => {
    const value = BigInt(digits) * (minus === "-" ? -1n : 1n);
    const before = text.slice(0, at);
    const offset = before.includes("[");
    const shift = /(?:lsl|lsr|asr|ror|msl|[su]xt[bhwx]) $/.test(before);
    if (offset || shift || bits) return `#${BigInt.asIntN(64, value)}`;
    return `#0x${BigInt.asUintN(width, value).toString(16)}`;
  });
}

/**
 * Value of the immediate of ORR, AND, EOR and ANDS (Arm ARM, DecodeBitMasks): a run of ones, rotated, repeated over the register.
 * capstone prints `mov x5, #0xffffffff80000000` with its upper half missing.
 *
 *   31 30 29 28     23 22 21   16 15  10 9  5 4  0
 *   sf opc   1 0 0 1 0 0  N  immr    imms  Rn   Rd
 *
 * @returns undefined when the word is no such instruction or the encoding is reserved
 */
export function logicalImmediate(word: number): bigint | undefined {
  if ((word & 0x1f800000) !== 0x12000000) return undefined;
  const n = (word >>> 22) & 1;
  const immr = (word >>> 16) & 0x3f;
  const imms = (word >>> 10) & 0x3f;
  const length = 31 - Math.clz32((n << 6) | (~imms & 0x3f));
  if (length < 1) return undefined;
  const size = 1 << length;
  const ones = (imms & (size - 1)) + 1;
  if (ones === size) return undefined;
  const run = (1n << BigInt(ones)) - 1n;
  const rotate = BigInt(immr & (size - 1));
  const element = BigInt.asUintN(size, (run >> rotate) | (run << (BigInt(size) - rotate)));
  let value = 0n;
  for (let at = 0; at < 64; at += size) value |= element << BigInt(at);
  return word >>> 31 === 1 ? value : BigInt.asUintN(32, value);
}
