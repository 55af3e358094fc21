/**
 * Operands of arm64 instructions out of their text, and which registers they read and write.
 *
 *   ldp   x19, x20, [sp, #16]!      x19, x20 written; sp read and written (pre-index); memory read, 16 bytes at sp+16
 *   cas   w1, w2, [x0]              w1 read and written; w2, x0 read; memory read and written
 *
 * The roles follow the Arm ARM's families: the first register is the destination, except in stores, comparisons, branches and atomics.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Access, MemoryOperand, Operand } from "./disassembler.ts";

export interface Arm64Operands {
  readonly operands: readonly Operand[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

const STORE = /^st(?!xr|lxr|xp|lxp)/;
/** Store-exclusive: the first register takes the outcome. */
const STORE_EXCLUSIVE = /^stl?x[rp]/;
const LOAD_PAIR = /^ld(p|np|psw|xp|axp|iapp)$/;
const COMPARE =
  /^(cmp|cmn|tst|ccmp|ccmn|fcmpe?|fccmpe?|cbn?z|tbn?z|b|br|bra[ab]z?|bl|blr|blra[ab]z?|ret|msr|dc|ic|at|tlbi|sys|prfu?m|rprfm|svc|hvc|smc|brk|udf|hint|stg|st2g)$|^bc?\./;
/** `ldadd ws, wt, [xn]`: ws is read, wt takes the old value. */
const ATOMIC_LOAD = /^(ld(add|clr|eor|set|[su]max|[su]min)|swp)/;
const COMPARE_AND_SWAP = /^casp?/;
/** They change part of their destination, or work in place. */
const IN_PLACE = /^(movk|bfi|bfc|bfxil|bfm|aut|pac|xpac|ins$|mla|mls|fmla|fmls)/;

/** Parses the operands of one instruction as arm64-dialect.ts writes them. @param target its branch target or address */
export function arm64Operands(mnemonic: string, text: string, target: VirtualAddress | undefined): Arm64Operands {
  const reads = new Set<string>();
  const writes = new Set<string>();
  const operands: Operand[] = [];
  const parts = split(text);
  const registers = parts.filter((part) => isRegister(part));
  parts.forEach((part, i) => {
    if (part.startsWith("[")) {
      const memory = memoryOperand(mnemonic, part, parts[i + 1], registers);
      if (memory.base !== undefined) reads.add(memory.base);
      if (memory.index !== undefined) reads.add(memory.index);
      if (memory.base !== undefined && memory.writeback !== undefined) writes.add(memory.base);
      operands.push(memory);
    } else if (isRegister(part)) {
      const access = accessOf(mnemonic, registers.indexOf(part) === i ? i : parts.slice(0, i).filter(isRegister).length);
      const full = fullName(part);
      const modifier = MODIFIER.test(parts[i + 1] ?? "") ? parts[i + 1] : undefined;
      operands.push({
        kind: "register",
        name: part,
        full,
        size: sizeOfRegister(part),
        access,
        ...(modifier === undefined ? {} : { modifier }),
      });
      if (/^(x\d|sp)/.test(full)) {
        if (access !== "write") reads.add(full);
        if (access !== "read") writes.add(full);
      }
    } else if (/^#-?(0x[0-9a-f]+|\d+)$/.test(part) && !parts[i - 1]?.endsWith("]")) {
      const negative = part[1] === "-";
      const value = BigInt(part.slice(negative ? 2 : 1)) << immediateShift(parts[i + 1]);
      operands.push({ kind: "immediate", value: negative ? -value : value });
    } else if (/^(mrs|msr)$/.test(mnemonic) && /^[a-z]\w*$/.test(part)) {
      operands.push({ kind: "system", name: part });
    }
  });
  if (target !== undefined) operands.push({ kind: "target", address: target });
  if (/^bl/.test(mnemonic)) writes.add("x30");
  if (/^ret/.test(mnemonic) && registers.length === 0) reads.add("x30");
  if (/^(pac|aut|xpac).*(sp|z|lri|1716)$/.test(mnemonic) && registers.length === 0) {
    for (const set of [reads, writes]) set.add(mnemonic.endsWith("1716") ? "x17" : "x30");
  }
  return { operands, reads: [...reads], writes: [...writes] };
}

const MODIFIER = /^((lsl|lsr|asr|ror) #\d+|[su]xt[bhwx]( #\d+)?)$/;

/** `#0x1, lsl #12` */
function immediateShift(next: string | undefined): bigint {
  return BigInt(/^lsl #(\d+)$/.exec(next ?? "")?.[1] ?? 0);
}

/** Splits at commas outside brackets and braces. */
function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "[" || c === "{") depth++;
    else if (c === "]" || c === "}") depth--;
    else if (c === "," && depth === 0) {
      parts.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  const last = text.slice(from).trim();
  if (last !== "") parts.push(last);
  return parts;
}

function isRegister(text: string): boolean {
  return /^([wx](\d+|zr)|w?sp|[bhsdqv]\d+(\.\w+)?)$/.test(text);
}

function fullName(name: string): string {
  if (name === "wsp") return "sp";
  if (name === "wzr") return "xzr";
  return /^w\d/.test(name) ? `x${name.slice(1)}` : /^[bhsdq]\d/.test(name) ? `v${name.slice(1)}` : name.replace(/\..*/, "");
}

function sizeOfRegister(name: string): number {
  return { w: 4, x: 8, s: name === "sp" ? 8 : 4, b: 1, h: 2, d: 8, q: 16, v: 16 }[name[0] as "w"] ?? 8;
}

/** @param position which of the instruction's registers outside brackets */
function accessOf(mnemonic: string, position: number): Access {
  if (STORE.test(mnemonic) || COMPARE.test(mnemonic)) return "read";
  if (COMPARE_AND_SWAP.test(mnemonic)) return position < (mnemonic.startsWith("casp") ? 2 : 1) ? "readwrite" : "read";
  if (ATOMIC_LOAD.test(mnemonic)) return position === 0 ? "read" : "write";
  if (LOAD_PAIR.test(mnemonic)) return "write";
  if (STORE_EXCLUSIVE.test(mnemonic)) return position === 0 ? "write" : "read";
  if (position > 0) return "read";
  return IN_PLACE.test(mnemonic) ? "readwrite" : "write";
}

function memoryOperand(mnemonic: string, text: string, next: string | undefined, registers: readonly string[]): MemoryOperand {
  const inner = split(text.slice(1, text.lastIndexOf("]")));
  const post = next !== undefined && !/^prfu?m/.test(mnemonic);
  let displacement = 0n;
  let index: string | undefined;
  let extend: "sxtw" | "uxtw" | undefined;
  let scale = 1;
  const offset = (post ? next : inner[1]) ?? "";
  const immediate = /^#(-?)(\d+|0x[0-9a-f]+)$/.exec(offset);
  if (immediate !== null && !post) displacement = BigInt(immediate[2] as string) * (immediate[1] === "-" ? -1n : 1n);
  else if (!post && isRegister(offset)) {
    index = fullName(offset);
    extend = /^[su]xtw/.exec(inner[2] ?? "")?.[0] as "sxtw" | "uxtw" | undefined;
    const shift = /#(\d+)$/.exec(inner[2] ?? "");
    if (shift !== null) scale = 2 ** Number(shift[1]);
  }
  return {
    kind: "memory",
    segment: undefined,
    base: inner[0] === undefined ? undefined : fullName(inner[0]),
    index,
    scale,
    displacement,
    size: accessSize(mnemonic, registers),
    access: memoryAccess(mnemonic),
    writeback: text.endsWith("!") ? "pre" : post ? "post" : undefined,
    ...(post && immediate !== null ? { step: BigInt(immediate[2] as string) * (immediate[1] === "-" ? -1n : 1n) } : {}),
    ...(extend === undefined ? {} : { extend }),
  };
}

function memoryAccess(mnemonic: string): Access {
  if (/^(prf|rprf|dc|ic)/.test(mnemonic)) return "address";
  if (COMPARE_AND_SWAP.test(mnemonic) || ATOMIC_LOAD.test(mnemonic) || /^st(add|clr|eor|set|[su]max|[su]min)/.test(mnemonic))
    return "readwrite";
  return mnemonic.startsWith("st") ? "write" : "read";
}

function accessSize(mnemonic: string, registers: readonly string[]): number {
  if (/^(prf|rprf|dc|ic)/.test(mnemonic)) return 0;
  if (/sw$/.test(mnemonic)) return mnemonic === "ldpsw" ? 8 : 4;
  const narrow = /^(?:ld|st|cas|swp).*?(s?[bh])$/.exec(mnemonic);
  if (narrow !== null) return narrow[1]?.endsWith("b") ? 1 : 2;
  const data = STORE_EXCLUSIVE.test(mnemonic) ? registers[1] : registers[0];
  if (data === undefined) return 0;
  return sizeOfRegister(data) * (/^(ld|st)(n?p|xp|axp|lxp|iapp|ilp)$/.test(mnemonic) || mnemonic.startsWith("casp") ? 2 : 1);
}
