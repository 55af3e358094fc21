import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadDisassembler } from "../arch/disassembler.ts";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { registerDisassemblers } from "../faces/cli/disassemblers.ts";
import { SparseMemory } from "../kernel/testing/small-kernel.ts";
import { FakeKernel } from "../linux/testing/fake-kernel.ts";
import { kernelWith } from "../type-flow/testing/composed-function.ts";
import { parseArguments } from "./arguments.ts";
import type { Session } from "./command.ts";
import { type DisResult, dis } from "./dis.ts";

const TEXT = 0xffff_ffff_8100_0000n;
/** push %rbp; nopl 0x0(%rax,%rax,1); call second; je first+6; ret; int3 × 2 */
const FIRST = "55" + "0f1f440000" + "e807000000" + "74f9" + "c3" + "cccc";
/** mov 0x10(%rip),%rax; ud2; .byte; ret */
const SECOND = "488b0510000000" + "0f0b" + "c3" + "c3";
/** nop; ret; nopw 0x0(%rax,%rax,1) */
const THIRD = "90" + "c3" + "660f1f440000";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
});

interface FakeSymbol {
  readonly name: string;
  readonly address: VirtualAddress;
  readonly type: string;
  readonly module: string | undefined;
  readonly size: number;
}

function build(): Session {
  const fake = new FakeKernel({});
  fake.memory.write(
    TEXT,
    Uint8Array.from(`${FIRST}cccc${SECOND}`.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  );
  fake.memory.write(
    TEXT + 0x100n,
    Uint8Array.from(THIRD.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  );
  const symbols: FakeSymbol[] = [
    { name: "first", address: virtual(TEXT), type: "T", module: undefined, size: 18 },
    { name: "second", address: virtual(TEXT + 18n), type: "t", module: undefined, size: 12 },
    { name: "data", address: virtual(TEXT + 30n), type: "D", module: undefined, size: 64 },
    { name: "third", address: virtual(TEXT + 0x100n), type: "t", module: undefined, size: 8 },
  ];
  Object.defineProperty(fake, "arch", { value: { ...fake.arch, stripPointer: (address: bigint) => virtual(address) } });
  Object.defineProperty(fake, "symbols", {
    value: {
      byName: (name: string) => symbols.find((symbol) => symbol.name === name),
      allByName: (name: string) => symbols.filter((symbol) => symbol.name === name),
      byAddress(address: bigint) {
        const symbol = symbols.findLast((each) => each.address <= address);
        return symbol === undefined ? undefined : { symbol, offset: Number(address - symbol.address) };
      },
      neighbours: () => ({ previous: undefined, next: undefined }),
    },
  });
  Object.defineProperty(fake, "debugInfo", { value: { present: false }, configurable: true });
  Object.defineProperty(fake, "nearestSymbols", { value: () => [] });
  return { kernel: fake.kernel, settings: { radix: 10, src: "" }, context: virtual(0n) } as unknown as Session;
}

/** The same with debug information: lines by offset from the first function. */
function described(lines: Readonly<Record<number, number>>, src = ""): Session {
  const session = build();
  const statement = (address: bigint) => {
    const line = lines[Number(address - TEXT)];
    return line === undefined ? undefined : { file: "/build/linux/kernel/first.c", line };
  };
  Object.defineProperty(session.kernel, "debugInfo", { value: { present: true, statement, scopes: () => [] } });
  Object.defineProperty(session.kernel, "symbolize", { value: () => "first" });
  Object.assign(session.settings, { src });
  return session;
}

function result(line: string, session: Session = build()): DisResult {
  return dis.run(session, parseArguments(dis.spec, line.split(" "), line));
}

function text(line: string, session?: Session): string[] {
  return [...dis.text(result(line, session), { radix: 10 })];
}

const at = (offset: number) => `0xffffffff810000${offset.toString(16).padStart(2, "0")}`;

describe("dis", () => {
  it("shows a whole function for a symbol, with branch targets as symbols", () => {
    expect(text("first")).toEqual([
      `${at(0)} <first>:\tpush   %rbp`,
      `${at(1)} <first+1>:\tnopl   0x0(%rax,%rax,1)`,
      `${at(6)} <first+6>:\tcall   ${at(18)} <second>`,
      `${at(11)} <first+11>:\tje     ${at(6)} <first+6>`,
      `${at(13)} <first+13>:\tret`,
      `${at(14)} <first+14>:\tint3`,
      `${at(15)} <first+15>:\tint3`,
      `${at(16)} <first+16>:\tint3`,
      `${at(17)} <first+17>:\tint3`,
    ]);
  });

  it("shows a whole function for the address it starts at, without the padding behind it", () => {
    expect(text(TEXT.toString(16))).toEqual(text("first"));
    expect(text("third").map((line) => line.split("\t")[1])).toEqual(["nop", "ret"]);
    expect(text("third 3")).toHaveLength(3);
  });

  it("shows one instruction for an address, N for a count, and hexadecimal offsets with -x", () => {
    expect(text("first+11")).toEqual([`${at(11)} <first+11>:\tje     ${at(6)} <first+6>`]);
    expect(text("-x first+11 2")).toEqual([`${at(11)} <first+0xb>:\tje     ${at(6)} <first+0x6>`, `${at(13)} <first+0xd>:\tret`]);
    expect(text("first 2")).toHaveLength(2);
  });

  it("goes up to an address with -r, and gives the last ones of these with a count", () => {
    expect(text("-r first+11").map((line) => line.split("\t")[1])).toEqual([
      "push   %rbp",
      "nopl   0x0(%rax,%rax,1)",
      `call   ${at(18)} <second>`,
      `je     ${at(6)} <first+6>`,
    ]);
    expect(text("-r first+11 2")).toEqual(text("-r first+11").slice(2));
    // An address within an instruction: up to the one that holds it.
    expect(text("-r first+8")).toHaveLength(3);
  });

  it("goes to the function's end with -f", () => {
    expect(text("-f first+13")).toHaveLength(5);
    expect(text("-f first+13 1")).toEqual([`${at(13)} <first+13>:\tret`]);
  });

  it("shows what a relative memory operand names", () => {
    expect(text("second 1")).toEqual([`${at(18)} <second>:\tmov    0x10(%rip),%rax        # ${at(41)} <data+11>`]);
  });

  it("skips bytes behind ud2 with -b", () => {
    const session = build();
    expect(text("-b", session)).toEqual(["encoded bytes being skipped after ud2a: 0"]);
    expect(text("-b 1", session)).toEqual(["encoded bytes being skipped after ud2a: 1"]);
    expect(text("second 3", session).map((line) => line.split(":")[0])).toEqual([`${at(18)} <second>`, `${at(25)} <second+7>`]);
  });

  it("gives data for programs", () => {
    expect([...result("first+6").lines]).toEqual([
      {
        address: virtual(TEXT + 6n),
        symbol: { name: "first", offset: 6 },
        bytes: "e807000000",
        mnemonic: "call",
        operands: `${at(18)}`,
        separator: "   ",
        target: { address: virtual(TEXT + 18n), symbol: { name: "second", offset: 0 } },
      },
    ]);
  });

  it("says in one line what it cannot do", () => {
    expect(text("-l first 1")).toEqual(["(source lines need a vmlinux with debug information (dis -l))", `${at(0)} <first>:\tpush   %rbp`]);
    expect(() => result("-s first")).toThrow(/needs a vmlinux/);
    expect(() => result("nothing")).toThrow(/no symbol named "nothing"/);
    expect(() => result("-r 1000")).toThrow(/no function holds 1000/);
    expect(() => result("first 0")).toThrow(/at least 1/);
    expect(() => text("ffffffff90000000 1")).toThrow(/not mapped/);
  });

  it("shows lines of the source before the instructions that come from them, when they change", () => {
    expect(text("-l first", described({ 0: 10, 1: 10, 6: 20, 13: 10 })).slice(0, 7)).toEqual([
      "/build/linux/kernel/first.c: 10",
      `${at(0)} <first>:\tpush   %rbp`,
      `${at(1)} <first+1>:\tnopl   0x0(%rax,%rax,1)`,
      "/build/linux/kernel/first.c: 20",
      `${at(6)} <first+6>:\tcall   ${at(18)} <second>`,
      // No line is known of this one.
      `${at(11)} <first+11>:\tje     ${at(6)} <first+6>`,
      "/build/linux/kernel/first.c: 10",
    ]);
    expect([...result("-l first 1", described({ 0: 10 })).lines][0]).toMatchObject({
      source: { file: "/build/linux/kernel/first.c", line: 10 },
    });
    expect([...result("first 1", described({ 0: 10 })).lines][0]).not.toHaveProperty("source");
  });

  it("shows the text of the source with a star at the line, to the end of the function or so many lines", () => {
    const tree = mkdtempSync(join(tmpdir(), "inquest-source-"));
    mkdirSync(join(tree, "kernel"));
    writeFileSync(join(tree, "kernel/first.c"), Array.from({ length: 30 }, (_, i) => (i === 15 ? "}" : `text ${i + 1}`)).join("\n"));
    const session = described({ 0: 12 });
    Object.assign(session.settings, { src: `${tree}/` });
    const head = ["FILE: /build/linux/kernel/first.c", "LINE: 12", ""];
    const before = [7, 8, 9, 10, 11].map((line) => `  ${line}\ttext ${line}`);
    expect(text("-s first", session)).toEqual([
      ...head,
      ...before,
      "* 12\ttext 12",
      "  13\ttext 13",
      "  14\ttext 14",
      "  15\ttext 15",
      "  16\t}",
      "",
    ]);
    expect(text("-s first 2", session)).toEqual([...head, ...before, "* 12\ttext 12", "  13\ttext 13", "  14\ttext 14", ""]);
    expect(result("-s first 2", session).source).toMatchObject({ line: 12, path: join(tree, "kernel/first.c") });
    // What cannot be shown is told behind where it is.
    const lines: string[] = [];
    const shown = (other: Session) => {
      lines.length = 0;
      for (const line of dis.text(result("-s first", other), { radix: 10 })) lines.push(line);
    };
    expect(() => shown(described({ 0: 31 }, tree))).toThrow(/has only 30 lines: it is another version/);
    expect(lines).toEqual(["FILE: /build/linux/kernel/first.c", "LINE: 31", ""]);
    expect(() => shown(described({ 0: 12 }, join(tree, "kernel")))).toThrow(/there is no .*kernel\/build\/linux\/kernel\/first.c/);
    expect(() => shown(described({ 0: 12 }))).toThrow(/set src DIRECTORY/);
    expect(() => shown(described({ 1: 12 }, tree))).toThrow(/no source line is known for first/);
    expect(() => result("-s -r first", session)).toThrow(/goes with none/);
  });

  it("annotates what operands, constants and calls mean", () => {
    const code = `
53                push   %rbx
488b4710          mov    0x10(%rdi),%rax
8b4808            mov    0x8(%rax),%ecx
48c7c600000082    mov    $0xffffffff82000000,%rsi
48c7c720000082    mov    $0xffffffff82000020,%rdi
e8e5030000        call   helper
ff5028            call   *0x28(%rax)
c3                ret`;
    const memory = new SparseMemory().text(0xffff_ffff_8200_0020n, "\u00016lost %s\n\0");
    const kernel = kernelWith("x86_64", code, {
      memory,
      symbols: {
        __start_rodata: [0xffff_ffff_8200_0000n, "D"],
        table: [0xffff_ffff_8200_0000n, "D"],
        behind: [0xffff_ffff_8200_0100n, "D"],
      },
    });
    Object.assign(kernel.arch, { stripPointer: (address: bigint) => virtual(address) });
    const session = { kernel, settings: { radix: 10 }, context: virtual(0n), minimal: true } as unknown as Session;
    const said = text("-a f", session).map((line) => line.split(/ *; /)[1]);
    expect(said).toEqual([
      undefined,
      "file->inode (struct inode *)",
      "file->inode->flags (unsigned int)",
      "<table>",
      '"\\0016lost %s\\n"',
      "struct inode *helper(void *)",
      // It lies outside of an inode.
      "helper() + 0x28",
      undefined,
    ]);
    expect([...result("-a f+1", session).lines][0]?.annotation).toEqual({
      operands: [
        {
          text: "file->inode",
          container: "struct file",
          member: "inode",
          offset: 16,
          type: "struct inode *",
          origin: [{ kind: "parameter", text: "parameter file" }],
        },
      ],
      constants: [],
    });
  });

  it("keeps what was read before memory ends", () => {
    const session = build();
    const lines: string[] = [];
    expect(() => {
      for (const line of dis.text(result("ffffffff81000ffe 3", session), { radix: 10 })) lines.push(line);
    }).toThrow(/not mapped/);
    expect(lines).toHaveLength(1);
  });
});
