import { beforeAll, describe, expect, it } from "vitest";
import { disassemblerFor, loadDisassembler } from "../../arch/disassembler.ts";
import { virtual } from "../../bytes/address.ts";
import { registerDisassemblers } from "../../faces/cli/disassemblers.ts";
import { type Comparison, comparisonOf, evaluate } from "./relation.ts";

beforeAll(async () => {
  registerDisassemblers();
  await Promise.all([loadDisassembler("x86_64"), loadDisassembler("aarch64")]);
});

const AT = virtual(0xffff_ffff_8100_0000n);

function decode(machine: "x86_64" | "aarch64", bytes: readonly number[]) {
  return disassemblerFor(machine).decode(Uint8Array.from([...bytes, ...new Array(16).fill(0)]), AT);
}
const word = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];

/** "left relation right [mask]", registers by their names. */
function told(found: Comparison | undefined): string | undefined {
  if (found === undefined) return undefined;
  const name = (operand: Comparison["right"]): string => {
    if (typeof operand === "bigint") return operand.toString();
    if (operand.kind === "register") return operand.name;
    return operand.kind === "memory" ? `${operand.displacement}(${operand.base})` : operand.kind;
  };
  return `${name(found.left)} ${found.relation} ${name(found.right)}${found.mask === undefined ? "" : ` & ${found.mask}`}`;
}

describe("x86-64", () => {
  const je = [0x74, 0x10];
  const jne = [0x75, 0x10];
  const ja = [0x77, 0x10];
  const jl = [0x7c, 0x10];
  const js = [0x78, 0x10];
  const cases: readonly (readonly [string, readonly number[], readonly number[], boolean, string | undefined])[] = [
    ["cmp %eax,0xc(%rbx); jne taken", [0x39, 0x43, 0x0c], jne, true, "12(rbx) != eax"],
    ["the same, not taken", [0x39, 0x43, 0x0c], jne, false, "12(rbx) == eax"],
    ["cmp $5,%eax; ja", [0x83, 0xf8, 0x05], ja, true, "eax >u 5"],
    ["cmp $-4096,%rax; ja", [0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff], ja, true, `rax >u ${0xffff_ffff_ffff_f000n}`],
    ["cmp %edx,%ecx; jl not taken", [0x39, 0xd1], jl, false, "ecx >= edx"],
    ["test %rax,%rax; je", [0x48, 0x85, 0xc0], je, true, "rax == 0"],
    ["test %eax,%eax; ja: the carry is clear", [0x85, 0xc0], ja, true, "eax != 0"],
    ["test $4,%al; jne", [0xa8, 0x04], jne, true, "al != 0 & 4"],
    ["test $0x80,%al; js", [0xa8, 0x80], js, true, "al != 0 & 128"],
    ["sub $1,%edi; js", [0x83, 0xef, 0x01], js, true, "edi < 1"],
    ["lock decl (%rdi); js", [0xf0, 0xff, 0x0f], js, true, "0(rdi) < 0"],
    ["add $2,%eax; je", [0x83, 0xc0, 0x02], je, true, "eax == 4294967294"],
    ["test %eax,%ecx: no plain comparison", [0x85, 0xc1], je, true, undefined],
  ];
  for (const [what, setter, branch, taken, expected] of cases) {
    it(what, () => expect(told(comparisonOf(decode("x86_64", setter), decode("x86_64", branch), taken))).toBe(expected));
  }
});

describe("arm64", () => {
  const bhi = word(0x54000088);
  const bne = word(0x54000081);
  const cases: readonly (readonly [string, number, readonly number[], boolean, string | undefined])[] = [
    ["cmp w1, #42; b.hi", 0x7100a83f, bhi, true, "w1 >u 42"],
    ["cmp x1, x2; b.ne not taken", 0xeb02003f, bne, false, "x1 == x2"],
    ["tst w0, #8; b.ne", 0x721d001f, bne, true, "w0 != 0 & 8"],
    ["cmn w0, #1; b.ne", 0x3100041f, bne, true, "w0 != 4294967295"],
    ["cmp x1, x2, lsl #1: a computed operand", 0xeb02043f, bne, true, undefined],
  ];
  for (const [what, setter, branch, taken, expected] of cases) {
    it(what, () => expect(told(comparisonOf(decode("aarch64", word(setter)), decode("aarch64", branch), taken))).toBe(expected));
  }
  it("cbz and tbnz compare themselves", () => {
    const cbz = decode("aarch64", word(0x34000080)); // cbz w0
    expect(told(comparisonOf(cbz, cbz, true))).toBe("w0 == 0");
    const tbnz = decode("aarch64", word(0x37180080)); // tbnz w0, #3
    expect(told(comparisonOf(tbnz, tbnz, true))).toMatch(/^[wx]0 != 0 & 8$/);
    expect(told(comparisonOf(tbnz, tbnz, false))).toMatch(/^[wx]0 == 0 & 8$/);
  });
});

describe("evaluation", () => {
  it("compares as many bytes as the instruction, with and without sign", () => {
    expect(evaluate({ relation: "<", size: 4 }, 0xffff_ffffn, 0n)).toBe(true);
    expect(evaluate({ relation: "<u", size: 4 }, 0xffff_ffffn, 0n)).toBe(false);
    expect(evaluate({ relation: "==", size: 1 }, 0x1_05n, 5n)).toBe(true);
    expect(evaluate({ relation: ">u", size: 8 }, 0xffff_ffff_ffff_fff4n, 0xffff_ffff_ffff_f000n)).toBe(true);
    expect(evaluate({ relation: "!=", size: 4, mask: 4n }, 6n, 0n)).toBe(true);
    expect(evaluate({ relation: "!=", size: 4, mask: 8n }, 6n, 0n)).toBe(false);
  });
});
