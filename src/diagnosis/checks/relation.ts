/**
 * What a comparison and the conditional branch behind it ask, in the terms of C: two operands and a relation.
 *
 *   cmp %eax,0xc(%rbx) ; jne      0xc(%rbx) != %eax      x86-64: the right operand stands first
 *   test %rax,%rax ; je           %rax == 0
 *   test $0x4,%al ; jne           %al & 0x4
 *   sub $0x1,%edi ; js            %edi < 1               as the value was before
 *   lock decl (%rdi) ; js         (%rdi) < 0             as memory is after
 *   cmp w1, #0x2a ; b.hi          w1 > 42, unsigned
 *   tbz w0, #3, …                 !(w0 & 8)
 */
import type { DecodedInstruction, Operand } from "../../arch/disassembler.ts";

/** Unsigned ones end in "u". */
export type Relation = "==" | "!=" | "<" | "<=" | ">" | ">=" | "<u" | "<=u" | ">u" | ">=u";

export interface Comparison {
  readonly left: Operand;
  readonly right: Operand | bigint;
  readonly relation: Relation;
  /** The relation is of the left operand's bits in this mask, with 0. */
  readonly mask?: bigint;
  /** Bytes that are compared. */
  readonly size: number;
}

const NEGATED: Readonly<Record<Relation, Relation>> = {
  "==": "!=",
  "!=": "==",
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
  "<u": ">=u",
  "<=u": ">u",
  ">u": "<=u",
  ">=u": "<u",
};

/** By the condition's letters; "s" and "mi" ask for the sign of the difference. */
const X86: Readonly<Record<string, Relation>> = {
  e: "==", z: "==", ne: "!=", nz: "!=", a: ">u", ae: ">=u", nc: ">=u", b: "<u", c: "<u", be: "<=u", g: ">", ge: ">=", l: "<", le: "<=", s: "<", ns: ">=",
}; // biome-ignore format: a table

const ARM: Readonly<Record<string, Relation>> = {
  eq: "==", ne: "!=", hs: ">=u", cs: ">=u", lo: "<u", cc: "<u", hi: ">u", ls: "<=u", ge: ">=", lt: "<", gt: ">", le: "<=", mi: "<", pl: ">=",
}; // biome-ignore format: a table

/** What must hold for the branch to go the way that is asked; undefined for what is no plain comparison. */
export function comparisonOf(setter: DecodedInstruction, branch: DecodedInstruction, taken: boolean): Comparison | undefined {
  const found = /^(?:[ct]bn?z|b\.)/.test(branch.mnemonic) ? ofArm64(setter, branch) : ofX86(setter, branch);
  return found === undefined || taken ? found : { ...found, relation: NEGATED[found.relation] };
}

function ofX86({ mnemonic, operands }: DecodedInstruction, branch: DecodedInstruction): Comparison | undefined {
  const relation = X86[branch.mnemonic.replace(/^j/, "")];
  const left = operands.at(-1);
  if (relation === undefined || left === undefined) return undefined;
  const size = sizeOf(left);
  const source = operands.length > 1 ? operands[0] : undefined;
  const right = source?.kind === "immediate" ? BigInt.asUintN(size * 8, source.value) : source;
  const locked = mnemonic.startsWith("lock ");
  switch (mnemonic.replace(/^lock /, "").replace(/(?<=^(?:cmp|test|sub|add|and|xor|dec|inc|bt))[bwlq]$/, "")) {
    case "cmp":
      return right === undefined ? undefined : { left, right, relation, size };
    case "sub":
      // Of memory only the difference is left.
      if (locked || left.kind === "memory") return { left, right: 0n, relation, size };
      return right === undefined ? undefined : { left, right, relation, size };
    case "xor":
      if (relation !== "==" && relation !== "!=") return undefined;
      return right === undefined ? undefined : { left, right, relation, size };
    case "dec":
      return { left, right: locked || left.kind === "memory" ? 0n : 1n, relation, size };
    case "inc":
      return { left, right: locked || left.kind === "memory" ? 0n : mask(size), relation, size };
    case "add":
      if (locked || left.kind === "memory") return { left, right: 0n, relation, size };
      return typeof right === "bigint" ? { left, right: BigInt.asUintN(size * 8, -right), relation, size } : undefined;
    case "test":
      if (right !== undefined && typeof right !== "bigint" && sameRegister(left, right))
        return { left, right: 0n, relation: zero(relation), size };
      return typeof right === "bigint" ? masked(left, right, relation, size) : undefined;
    case "and":
      return typeof right === "bigint" ? masked(left, right, relation, size) : undefined;
    case "bt":
      if (typeof right !== "bigint" || (relation !== "<u" && relation !== ">=u")) return undefined;
      return { left, right: 0n, relation: relation === "<u" ? "!=" : "==", mask: 1n << (right & 63n), size };
    default:
      return undefined;
  }
}

function ofArm64({ mnemonic, operands }: DecodedInstruction, branch: DecodedInstruction): Comparison | undefined {
  const [first, second, third] = operands;
  if (first === undefined) return undefined;
  const size = sizeOf(first);
  const own = /^([ct])b(n?)z$/.exec(branch.mnemonic);
  if (own !== null) {
    const relation: Relation = own[2] === "n" ? "!=" : "==";
    if (own[1] === "c") return { left: first, right: 0n, relation, size };
    return second?.kind === "immediate" ? { left: first, right: 0n, relation, mask: 1n << (second.value & 63n), size } : undefined;
  }
  const relation = ARM[branch.mnemonic.replace(/^b\./, "")];
  if (relation === undefined) return undefined;
  const plain = (operand: Operand | undefined): Operand | bigint | undefined =>
    operand?.kind === "immediate"
      ? BigInt.asUintN(size * 8, operand.value)
      : operand?.kind === "register" && (operand.modifier === undefined || /^uxt[bhw]$/.test(operand.modifier))
        ? operand
        : undefined;
  switch (mnemonic) {
    case "cmp":
    case "ccmp": {
      const right = plain(second);
      return right === undefined ? undefined : { left: first, right, relation, size };
    }
    case "subs": {
      const right = plain(third);
      return right === undefined || second === undefined ? undefined : { left: second, right, relation, size };
    }
    case "cmn": {
      const right = plain(second);
      return typeof right === "bigint" ? { left: first, right: BigInt.asUintN(size * 8, -right), relation, size } : undefined;
    }
    case "adds": {
      const right = plain(third);
      if (typeof right !== "bigint" || second === undefined) return undefined;
      return { left: second, right: BigInt.asUintN(size * 8, -right), relation, size };
    }
    case "tst": {
      const right = plain(second);
      if (typeof right === "bigint") return masked(first, right, relation, size);
      return right !== undefined && sameRegister(first, right) ? { left: first, right: 0n, relation: zero(relation), size } : undefined;
    }
    case "ands": {
      const right = plain(third);
      return typeof right === "bigint" && second !== undefined ? masked(second, right, relation, size) : undefined;
    }
    default:
      return undefined;
  }
}

/** `test` clears the carry: of the unsigned relations with 0 only "is it 0" is left. */
function zero(relation: Relation): Relation {
  return relation === "<=u" ? "==" : relation === ">u" ? "!=" : relation;
}

function masked(left: Operand, bits: bigint, relation: Relation, size: number): Comparison | undefined {
  const plain = zero(relation);
  if (plain === "==" || plain === "!=") return { left, right: 0n, relation: plain, mask: bits, size };
  // The sign of the highest bit.
  const top = 1n << BigInt(size * 8 - 1);
  if ((plain === "<" || plain === ">=") && (bits & top) !== 0n)
    return { left, right: 0n, relation: plain === "<" ? "!=" : "==", mask: top, size };
  return undefined;
}

function sizeOf(operand: Operand): number {
  return (operand.kind === "register" || operand.kind === "memory") && operand.size > 0 ? Math.min(operand.size, 8) : 8;
}

const mask = (size: number): bigint => (1n << BigInt(size * 8)) - 1n;

function sameRegister(a: Operand, b: Operand): boolean {
  return a.kind === "register" && b.kind === "register" && a.name === b.name;
}

/** Does the relation hold for these values? */
export function evaluate(
  { relation, mask: bits, size }: Pick<Comparison, "relation" | "mask" | "size">,
  left: bigint,
  right: bigint,
): boolean {
  const width = size * 8;
  const a = BigInt.asUintN(width, bits === undefined ? left : left & bits);
  const b = BigInt.asUintN(width, right);
  const [sa, sb] = [BigInt.asIntN(width, a), BigInt.asIntN(width, b)];
  switch (relation) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<u":
      return a < b;
    case "<=u":
      return a <= b;
    case ">u":
      return a > b;
    case ">=u":
      return a >= b;
    case "<":
      return sa < sb;
    case "<=":
      return sa <= sb;
    case ">":
      return sa > sb;
    case ">=":
      return sa >= sb;
  }
}
