/**
 * The dialect of binutils for x86-64: what its AT&T text writes otherwise than iced's (opcodes/i386-dis.c, binutils 2.41 to 2.45; learnt by
 * comparing whole kernels, see bench/disassembly.ts).
 *
 *   legacy prefixes  REX  opcode …      a prefix that changes nothing is shown as a word: data16, cs, rex.W, repz
 *   66 66 2e         –    0f 1f 84      data16 cs nopw 0x0(%rax,%rax,1)       the second 66 makes it nopw
 */

/** An instruction's bytes taken apart as far as the dialect needs. */
export interface Encoding {
  /** Legacy prefixes in order. */
  readonly prefixes: readonly number[];
  /** REX byte, or 0. */
  readonly rex: number;
  /** Opcode map: 0 one byte, 0x0f, 0x0f38, 0x0f3a; -1 for VEX, EVEX, XOP. */
  readonly map: number;
  readonly opcode: number;
  /** Byte behind the opcode, which is ModRM where the opcode has one; 0 past the end. */
  readonly modrm: number;
}

/** What iced says of the instruction and the dialect depends on. */
export interface PrefixFacts {
  /** Its operand size in bits is chosen by a prefix or by REX.W. */
  readonly operandSize: number;
  /** A mandatory prefix: 0x66, 0xf2, 0xf3, or 0. */
  readonly mandatory: number;
  readonly hasMemory: boolean;
  readonly hasByteRegister: boolean;
}

const LEGACY = new Set([0x66, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf0, 0xf2, 0xf3]);

/** Takes the bytes of one instruction apart. */
export function encodingOf(code: Uint8Array): Encoding {
  let at = 0;
  while (at < code.length && LEGACY.has(code[at] as number)) at++;
  const prefixes = [...code.subarray(0, at)];
  let rex = 0;
  if (((code[at] ?? 0) & 0xf0) === 0x40) rex = code[at++] as number;
  let map = 0;
  let opcode = code[at] ?? 0;
  if (opcode === 0x0f) {
    opcode = code[++at] ?? 0;
    map = 0x0f;
    if (opcode === 0x38 || opcode === 0x3a) {
      map = 0x0f00 | opcode;
      opcode = code[++at] ?? 0;
    }
  } else if (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62 || (opcode === 0x8f && ((code[at + 1] ?? 0) & 0x38) !== 0)) {
    map = -1;
  }
  return { prefixes, rex, map, opcode, modrm: code[at + 1] ?? 0 };
}

const BRANCH = (e: Encoding) =>
  (e.map === 0 && (e.opcode === 0xe8 || e.opcode === 0xe9 || e.opcode === 0xeb || e.opcode === 0xc2 || e.opcode === 0xc3)) ||
  isJcc(e) ||
  isIndirect(e);
const isJcc = (e: Encoding) => (e.map === 0 && (e.opcode & 0xf0) === 0x70) || (e.map === 0x0f && (e.opcode & 0xf0) === 0x80);
/** call or jmp through a register or memory: FF /2, FF /4. */
const isIndirect = (e: Encoding) => e.map === 0 && e.opcode === 0xff && ((e.modrm & 0x38) === 0x10 || (e.modrm & 0x38) === 0x20);
const isRelative = (e: Encoding) => BRANCH(e) && !isIndirect(e) && e.opcode !== 0xc2 && e.opcode !== 0xc3;
const isString = (e: Encoding) =>
  e.map === 0 &&
  ((e.opcode >= 0x6c && e.opcode <= 0x6f) || (e.opcode >= 0xa4 && e.opcode <= 0xa7) || (e.opcode >= 0xaa && e.opcode <= 0xaf));
/** cmps and scas repeat while equal: repz, not rep. */
const isCompare = (e: Encoding) => (e.opcode & 0xfe) === 0xa6 || (e.opcode & 0xfe) === 0xae;
/** Its size is 64 bits whatever REX.W says: near branches, push, pop, enter, leave. */
const alwaysWide = (e: Encoding) =>
  BRANCH(e) ||
  (e.map === 0 &&
    ((e.opcode >= 0x50 && e.opcode <= 0x5f) ||
      e.opcode === 0x68 ||
      e.opcode === 0x6a ||
      e.opcode === 0x8f ||
      (e.opcode === 0xff && (e.modrm & 0x38) === 0x30) ||
      e.opcode === 0x9c ||
      e.opcode === 0x9d ||
      e.opcode === 0xc9));

/** Words for the prefixes, each with a space behind it, in the order of the bytes. */
export function prefixWords(e: Encoding, facts: PrefixFacts): string {
  if (e.prefixes.length === 0 && e.rex === 0) return "";
  const words: string[] = [];
  // Of several equal prefixes the last one counts; the others are shown.
  const last = (byte: number) => e.prefixes.lastIndexOf(byte);
  e.prefixes.forEach((byte, i) => {
    const counts = i === last(byte);
    switch (byte) {
      case 0xf0:
        words.push("lock");
        break;
      case 0xf2:
      case 0xf3:
        if (counts && (facts.mandatory === byte || (byte === 0xf3 && e.map === 0 && e.opcode === 0x90))) break;
        words.push(repeatWord(e, byte));
        break;
      case 0x66:
        if (!(counts && (facts.mandatory === 0x66 || (facts.operandSize === 16 && !BRANCH(e))))) words.push("data16");
        break;
      case 0x67:
        if (!(counts && (facts.hasMemory || (e.map === 0 && e.opcode === 0xe3)))) words.push("addr32");
        break;
      case 0x3e:
        if (isIndirect(e)) words.push("notrack");
        else if (!(counts && isJcc(e))) words.push("ds");
        break;
      case 0x2e:
        if (!(counts && isJcc(e))) words.push("cs");
        break;
      case 0x36:
        words.push("ss");
        break;
      case 0x26:
        words.push("es");
        break;
      default:
        if (!(counts && facts.hasMemory)) words.push(byte === 0x64 ? "fs" : "gs");
    }
  });
  if (e.rex !== 0 && isRelative(e)) words.push(rexName(e.rex));
  else if (e.rex === 0x40 ? !facts.hasByteRegister : (e.rex & 8) !== 0 && alwaysWide(e)) words.push(rexName(e.rex & 8));
  return words.length === 0 ? "" : `${words.join(" ")} `;
}

/** "rex.WB": the bits that are set. */
function rexName(rex: number): string {
  const bits = `${rex & 8 ? "W" : ""}${rex & 4 ? "R" : ""}${rex & 2 ? "X" : ""}${rex & 1 ? "B" : ""}`;
  return bits === "" ? "rex" : `rex.${bits}`;
}

function repeatWord(e: Encoding, byte: number): string {
  if (isString(e)) return isCompare(e) ? (byte === 0xf3 ? "repz" : "repnz") : byte === 0xf3 ? "rep" : "repnz";
  if (byte === 0xf2 && BRANCH(e)) return "bnd";
  // Hardware lock elision: with lock, or on a plain store or xchg.
  if (e.prefixes.includes(0xf0) || (e.map === 0 && (e.opcode & 0xfe) === 0x86 && e.modrm < 0xc0))
    return byte === 0xf3 ? "xrelease" : "xacquire";
  if (byte === 0xf3 && e.map === 0 && ((e.opcode & 0xfe) === 0x88 || (e.opcode & 0xfe) === 0xc6) && e.modrm < 0xc0) return "xrelease";
  return byte === 0xf3 ? "repz" : "repnz";
}

/** Implicit operands that binutils writes and iced does not. */
const IMPLICIT: Record<string, readonly string[]> = {
  monitor: ["%rax", "%ecx", "%edx"],
  mwait: ["%eax", "%ecx"],
  monitorx: ["%rax", "%ecx", "%edx"],
  mwaitx: ["%eax", "%ecx", "%ebx"],
};

/** Mnemonic and operands as binutils writes them, from iced's. */
export function dialect(
  mnemonic: string,
  operands: string[],
  e: Encoding,
): { readonly mnemonic: string; readonly operands: readonly string[] } {
  const implicit = operands.length === 0 ? IMPLICIT[mnemonic] : undefined;
  if (implicit !== undefined) return { mnemonic, operands: implicit };
  if (e.map === 0) {
    switch (e.opcode) {
      case 0xd0:
      case 0xd1:
        if (operands[0] === "$0x1") operands[0] = "$1";
        break;
      case 0x69:
      case 0x6b:
        if (operands.length === 2) operands.push(operands[1] as string);
        break;
      case 0x6c:
      case 0x6d:
      case 0x6e:
      case 0x6f:
      case 0xec:
      case 0xed:
      case 0xee:
      case 0xef:
        return { mnemonic, operands: operands.map((text) => (text === "%dx" ? "(%dx)" : text)) };
      case 0xca:
      case 0xcb:
        return { mnemonic: mnemonic.replace(/^lretl$/, "lret"), operands };
      case 0x8f:
      case 0xff:
        // Memory operands of push, pop, call and jmp have one size only.
        return { mnemonic: mnemonic.replace(/^(push|pop|call|jmp)q$|^(lcall|ljmp)l$/, "$1$2"), operands };
      default:
    }
    const hint = isJcc(e) ? (e.prefixes.includes(0x3e) ? ",pt" : e.prefixes.includes(0x2e) ? ",pn" : "") : "";
    return hint === "" ? { mnemonic, operands } : { mnemonic: mnemonic.replace(/,p[nt]$/, "") + hint, operands };
  }
  // Debug registers are "db" in AT&T.
  if (e.map === 0x0f && (e.opcode === 0x21 || e.opcode === 0x23))
    return { mnemonic, operands: operands.map((text) => text.replace(/^%dr/, "%db")) };
  // lldt, ltr, verr, verw and lkgs of a register: written with its 32-bit name.
  if (e.map === 0x0f && e.opcode === 0x00 && e.modrm >= 0xd0 && (e.modrm < 0xf0 || mnemonic === "lkgs")) {
    const number = (e.modrm & 7) | ((e.rex & 1) << 3);
    return {
      mnemonic,
      operands: [`%${number < 8 ? (["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"][number] as string) : `r${number}d`}`],
    };
  }
  return { mnemonic, operands };
}
