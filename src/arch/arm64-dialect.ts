/**
 * The dialect of binutils for arm64: what its text writes otherwise than capstone's (opcodes/aarch64-opc.c, binutils 2.44; learnt by
 * comparing a whole kernel, see bench/disassembly.ts).
 *
 *   capstone  stp x29, x30, [sp, #-0x30]!      here  stp x29, x30, [sp, #-48]!      offsets, shifts and bit numbers are decimal
 *             mov w0, #0x1fff                        mov w0, #0x1fff        // #8191
 *             b.hs #0xffff8000080157f8               b.cs ffff8000080157f8  // b.hs, b.nlast
 */
import { NEWER_SYSTEM_REGISTERS } from "./arm64-system-registers.ts";

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
  /^(ext|cmp(?:eq|ne|g[et]|l[et]|h[is]|l[os])|sysl?|udf|rdvl|addvl|addpl|lsl|lsr|asr|ror|extr|[su]?bfx|[su]bfiz|bfi|bfc|bfxil|[su]?bfm|tbn?z|rmif|[su]?shl+|[su]?shr|[su]?sra|[su]rshr|sli|sri|[su]shll2?|shll2?|shrn2?|[su]qshl|sqshlu|xar)$/;
const LOGICAL = /^(ands?|orr|eor|tst|bics?|orn|eon)$/;

/** HINT numbers that have a name in binutils and none in capstone. */
const HINTS: Record<string, string> = { "0x13": "gcsb\tdsync", "0x16": "clrbhb", "0x28": "chkfeat\tx16" };

/** SYS instructions by their fields, as capstone writes them, that have a name in binutils only. */
const SYSTEM: Record<string, string> = { "#0, c7, c9, #2": "at\ts1e1a", "#3, c7, c13, #1": "dc\tcvadp" };

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
    return plain(name as string, operands ?? "");
  }
  if (mnemonic === "dgh") return plain("hint", "#0x6");
  if (mnemonic === "sys" || mnemonic === "sysl") return systemInstruction(mnemonic, immediates(mnemonic, text));
  // A prefetch operation without a name.
  if (text.startsWith(", ")) text = `#0x${(word & 0x1f).toString(16)}${text}`;
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
  if (mnemonic === "mrs" || mnemonic === "msr") text = text.replace(/s\d_\d_c\d+_c\d+_\d/, (name) => NEWER_SYSTEM_REGISTERS[name] ?? name);
  if (CONDITIONAL.test(mnemonic)) {
    const at = text.lastIndexOf(" ") + 1;
    const condition = CONDITION_NAMES[text.slice(at)] ?? text.slice(at);
    const aliases = CONDITION_ALIASES[condition];
    const note = aliases === undefined ? undefined : `\t// ${condition} = ${aliases.join(", ")}`;
    return { mnemonic, operands: immediates(mnemonic, text.slice(0, at)) + condition, target: undefined, note };
  }
  const logical = LOGICAL.test(mnemonic) ? logicalImmediate(word) : undefined;
  if (logical !== undefined) return plain(mnemonic, text.replace(/#\S+$/, `#0x${logical.toString(16)}`));
  return plain(mnemonic, immediates(mnemonic, text.includes("{") ? registerRanges(text) : text));
}

function plain(mnemonic: string, operands: string): Arm64Text {
  return { mnemonic, operands, target: undefined, note: undefined };
}

function systemInstruction(mnemonic: string, text: string): Arm64Text {
  const fields = /^(#\d, c\d+, c\d+, #\d)(, x\w+)?$/.exec(text);
  const [name, operation] = SYSTEM[fields?.[1] ?? ""]?.split("\t") ?? [];
  if (mnemonic === "sys" && name !== undefined) return plain(name, `${operation}${fields?.[2] ?? ""}`);
  return plain(mnemonic, text.replace(/\bc(\d+)\b/g, "C$1"));
}

/** `{v16.16b, v17.16b, v18.16b}` is written `{v16.16b-v18.16b}`. */
function registerRanges(text: string): string {
  return text.replace(/\{(\w+\.\w+)((?:, \w+\.\w+)+)\}/g, (all, first: string, rest: string) => {
    const last = rest.slice(rest.lastIndexOf(" ") + 1);
    const numbers = [first, ...rest.split(", ").slice(1)].map((name) => Number(/\d+/.exec(name)?.[0]));
    return numbers.every((number, i) => i === 0 || number === ((numbers[i - 1] as number) + 1) % 32) ? `{${first}-${last}}` : all;
  });
}

const UNPRIVILEGED: readonly (readonly string[])[] = [
  ["sttrb\tw", "ldtrb\tw", "ldtrsb\tx", "ldtrsb\tw"],
  ["sttrh\tw", "ldtrh\tw", "ldtrsh\tx", "ldtrsh\tw"],
  ["sttr\tw", "ldtr\tw", "ldtrsw\tx"],
  ["sttr\tx", "ldtr\tx"],
];

/**
 * Unprivileged loads and stores, how the kernel reaches user memory; capstone does not know them.
 *
 *   31 30 29     24 23 22 21 20  12 11 10 9 5 4 0
 *   size  1 1 1 0 0 0  opc  0  imm9   1  0  Rn  Rt
 */
export function unprivilegedAccess(word: number): { readonly mnemonic: string; readonly op_str: string } | undefined {
  if ((word & 0x3f200c00) !== 0x38000800) return undefined;
  const [mnemonic, width] = UNPRIVILEGED[word >>> 30]?.[(word >>> 22) & 3]?.split("\t") ?? [];
  if (mnemonic === undefined) return undefined;
  const register = word & 0x1f;
  const base = (word >>> 5) & 0x1f;
  const offset = (word << 11) >> 23;
  const address = `${base === 31 ? "sp" : `x${base}`}${offset === 0 ? "" : `, #${offset}`}`;
  return { mnemonic, op_str: `${width}${register === 31 ? "zr" : register}, [${address}]` };
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
