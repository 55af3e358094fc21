/**
 * The instructions of eBPF as text (RFC 9669; include/uapi/linux/bpf.h), in the words of the kernel's own listing (kernel/bpf/disasm.c), as
 * `bpftool prog dump xlated` and crash show them.
 *
 *   8 bytes:   code │ dst:4 src:4 │ off:16 │ imm:32                 a load of 64 bits takes two (imm of the second is the high half)
 *   code:      class in bits 0–2;   operation 4–7, source (imm | reg) 3   of ALU and JMP
 *                                   mode 5–7, size 3–4                    of loads and stores
 *
 * "(u32) r3" is the lower half of a register, which an ALU instruction of 32 bits works on.
 */

/** One instruction; a load of 64 bits is one of 16 bytes. */
export interface BpfInstruction {
  /** Number of its first 8 bytes in the program. */
  readonly index: number;
  readonly code: number;
  readonly bytes: Uint8Array;
  /** "r6 = r1" */
  readonly text: string;
}

/** Names what numbers in instructions mean. */
export interface BpfNames {
  /** Function that a call's imm leads to: "bpf_map_lookup_elem". */
  call?(imm: number): string | undefined;
  /** What a 64-bit constant is: "map[id:1]"; undefined shows the number. */
  constant?(value: bigint, source: number): string | undefined;
}

const LD = 0;
const LDX = 1;
const ST = 2;
const STX = 3;
const ALU = 4;
const JMP = 5;
const JMP32 = 6;
const ALU64 = 7;

const SIZES = ["u32", "u16", "u8", "u64"];
const SIGNED_SIZES = ["s32", "s16", "s8", "s64"];
const IMM = 0;
const ABS = 1;
const IND = 2;
const MEM = 3;
const MEMSX = 4;
const ATOMIC = 6;

const OPERATIONS = ["+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>="];
const NEG = 8;
const MOV = 11;
const END = 13;
const COMPARISONS: Readonly<Record<number, string>> = {
  1: "==",
  2: ">",
  3: ">=",
  4: "&",
  5: "!=",
  6: "s>",
  7: "s>=",
  10: "<",
  11: "<=",
  12: "s<",
  13: "s<=",
};
const JA = 0;
const CALL = 8;
const EXIT = 9;
const JCOND = 14;
/** imm of an atomic instruction (5.12+): an operation, with or without the old value fetched. */
const ATOMICS: Readonly<Record<number, readonly [operator: string, name: string]>> = {
  0: ["+=", "add"],
  64: ["|=", "or"],
  80: ["&=", "and"],
  160: ["^=", "xor"],
};
const FETCH = 1;
const XCHG = 0xe1;
const CMPXCHG = 0xf1;

/** Instructions of a program's bytes; what is cut off at the end is shown as such. */
export function* bpfInstructions(bytes: Uint8Array, names: BpfNames = {}): Generator<BpfInstruction, void, undefined> {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const code = bytes[at] as number;
    const size = code === 0x18 && at + 16 <= bytes.length ? 16 : 8;
    const own = bytes.subarray(at, at + size);
    yield { index: at / 8, code, bytes: own, text: bpfText(own, names) };
    at += size;
  }
}

/** One instruction of 8 or 16 bytes as text. */
export function bpfText(bytes: Uint8Array, names: BpfNames = {}): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const code = view.getUint8(0);
  const registers = view.getUint8(1);
  const fields: Fields = {
    code,
    dst: registers & 0xf,
    src: registers >> 4,
    off: view.getInt16(2, true),
    imm: view.getInt32(4, true),
    high: bytes.length >= 16 ? view.getUint32(12, true) : undefined,
  };
  switch (code & 7) {
    case ALU:
    case ALU64:
      return arithmetic(fields) ?? unknown(code);
    case JMP:
    case JMP32:
      return jump(fields, names) ?? unknown(code);
    case LD:
      return load(fields, names) ?? unknown(code);
    default:
      return memoryAccess(fields) ?? unknown(code);
  }
}

interface Fields {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly off: number;
  readonly imm: number;
  readonly high: number | undefined;
}

const unknown = (code: number) => `BUG_${code.toString(16).padStart(2, "0")}`;
const signed = (value: number) => (value < 0 ? String(value) : `+${value}`);

function arithmetic({ code, dst, src, off, imm }: Fields): string | undefined {
  const operation = code >> 4;
  const wide = (code & 7) === ALU64;
  const half = wide ? "" : "(u32) ";
  const register = (code & 8) !== 0;
  if (operation === END) {
    // A byte swap without condition is of class ALU64 (6.6+, 0845c3db7bf5).
    if (wide) return `r${dst} = bswap${imm} r${dst}`;
    return `r${dst} = ${register ? "be" : "le"}${imm} r${dst}`;
  }
  if (operation === NEG) return `r${dst} = ${half}-r${dst}`;
  let operator = OPERATIONS[operation];
  if (operator === undefined) return undefined;
  // Signed division (6.6+): off is 1.
  if ((operation === 3 || operation === 9) && off === 1) operator = `s${operator}`;
  // Sign extension (6.6+): off says from how many bits.
  if (operation === MOV && register && (off === 8 || off === 16 || off === 32)) return `${half}r${dst} = (s${off})${half}r${src}`;
  return `${half}r${dst} ${operator} ${half}${register ? `r${src}` : imm}`;
}

function jump({ code, dst, src, off, imm }: Fields, names: BpfNames): string | undefined {
  const operation = code >> 4;
  const narrow = (code & 7) === JMP32;
  if (operation === CALL) return callText(src, imm, names);
  if (operation === EXIT) return "exit";
  if (operation === JA) return narrow ? `gotol pc${signed(imm)}` : `goto pc${signed(off)}`;
  if (operation === JCOND) return `may_goto pc${signed(off)}`;
  const comparison = COMPARISONS[operation];
  if (comparison === undefined) return undefined;
  const name = narrow ? "w" : "r";
  const other = (code & 8) !== 0 ? `${name}${src}` : `0x${(imm >>> 0).toString(16)}`;
  return `if ${name}${dst} ${comparison} ${other} goto pc${signed(off)}`;
}

/** src: 0 a helper of the kernel, 1 another part of the program, 2 any function of the kernel that is offered (kfunc). */
function callText(src: number, imm: number, names: BpfNames): string {
  if (src === 1) return `call pc${signed(imm)}`;
  return `call ${names.call?.(imm) ?? (src === 2 ? "kernel-function" : "unknown")}#${imm}`;
}

function load({ code, dst, src, imm, high }: Fields, names: BpfNames): string | undefined {
  const mode = code >> 5;
  const size = SIZES[(code >> 3) & 3];
  if (mode === ABS) return `r0 = *(${size} *)skb[${imm}]`;
  if (mode === IND) return `r0 = *(${size} *)skb[r${src} + ${imm}]`;
  if (mode !== IMM || size !== "u64") return undefined;
  if (high === undefined) return `r${dst} = (the second half is missing)`;
  const value = (BigInt(high) << 32n) | BigInt(imm >>> 0);
  return `r${dst} = ${names.constant?.(value, src) ?? `0x${value.toString(16)}`}`;
}

function memoryAccess({ code, dst, src, off, imm }: Fields): string | undefined {
  const mode = code >> 5;
  const which = (code >> 3) & 3;
  const size = SIZES[which] as string;
  const place = `*(${size} *)(r${dst} ${signed(off)})`;
  switch (code & 7) {
    case LDX:
      if (mode !== MEM && mode !== MEMSX) return undefined;
      return `r${dst} = *(${mode === MEM ? size : SIGNED_SIZES[which]} *)(r${src} ${signed(off)})`;
    case ST:
      return mode === MEM ? `${place} = ${imm}` : undefined;
    case STX:
      if (mode === MEM) return `${place} = r${src}`;
      return mode === ATOMIC ? atomic({ code, dst, src, off, imm, high: undefined }, size, place) : undefined;
    default:
      return undefined;
  }
}

function atomic({ dst, src, off, imm }: Fields, size: string, place: string): string | undefined {
  const width = size === "u64" ? "64" : "";
  const pointer = `(${size} *)(r${dst} ${signed(off)})`;
  if (imm === XCHG) return `r${src} = atomic${width}_xchg(${pointer}, r${src})`;
  if (imm === CMPXCHG) return `r0 = atomic${width}_cmpxchg(${pointer}, r0, r${src})`;
  const operation = ATOMICS[imm & ~FETCH];
  if (operation === undefined) return undefined;
  const [operator, name] = operation;
  return (imm & FETCH) === 0 ? `lock ${place} ${operator} r${src}` : `r${src} = atomic${width}_fetch_${name}(${pointer}, r${src})`;
}
