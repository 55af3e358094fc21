import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadDisassembler } from "../arch/disassembler.ts";
import { declare } from "../debug-info/c-format-type.ts";
import { registerDisassemblers } from "../faces/cli/disassemblers.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { functionType, LONG, pointerTo, VOID } from "../kernel/testing/small-kernel.ts";
import { flowOf } from "./function-flow.ts";
import { originLinks } from "./origin-links.ts";
import { at, INODE, ITEM, kernelWith, named, TABLE, TEXT } from "./testing/composed-function.ts";

beforeAll(async () => {
  registerDisassemblers();
  await loadDisassembler("x86_64");
  await loadDisassembler("aarch64");
});

/** `+offset text` for each memory operand that something is known of. */
function touched(kernel: Kernel): string[] {
  const flow = flowOf(kernel, TEXT);
  return flow.addresses.flatMap((pc) =>
    (flow.at(pc)?.operands ?? []).flatMap(({ text }) => (text === undefined ? [] : [`+${(pc - TEXT).toString(16)} ${text}`])),
  );
}

function typeIn(kernel: Kernel, offset: number, register: string): string | undefined {
  const fact = flowOf(kernel, TEXT).at(at(offset))?.registers.get(register);
  const where = fact?.offset === undefined ? "" : `+${fact.offset}`;
  return fact?.type === undefined ? undefined : `${declare(fact.type)}${where}`;
}

const origin = (kernel: Kernel, offset: number, register: string) =>
  originLinks(flowOf(kernel, TEXT).originOf(at(offset), register)).map(({ text }) => text);

const X86 = `
53                push   %rbx
4889fb            mov    %rdi,%rbx
488b4710          mov    0x10(%rdi),%rax
8b4808            mov    0x8(%rax),%ecx
488d7b18          lea    0x18(%rbx),%rdi
4883ec20          sub    $0x20,%rsp
4889442408        mov    %rax,0x8(%rsp)
e8e3030000        call   helper
488b542408        mov    0x8(%rsp),%rdx
8b7208            mov    0x8(%rdx),%esi
448b4008          mov    0x8(%rax),%r8d
654c8b0c2580fb0100 mov   %gs:0x1fb80,%r9
4d8b5108          mov    0x8(%r9),%r10
4c8b5f10          mov    0x10(%rdi),%r11
4883c420          add    $0x20,%rsp
5b                pop    %rbx
c3                ret`;

describe("x86-64", () => {
  const kernel = () => kernelWith("x86_64", X86, { symbols: { current_task: [0x1fb80n, "A"], __per_cpu_end: [0x30000n, "A"] } });

  it("follows a parameter through copies, loads, spills and calls", () => {
    expect(touched(kernel()).filter((line) => !line.includes("per_cpu"))).toEqual([
      "+4 file->inode",
      "+8 file->inode->flags",
      "+b &file->path",
      // Out of its slot on the stack, behind a call.
      "+22 file->inode->flags",
      "+25 helper()->flags",
    ]);
  });

  it("knows types and origins of registers", () => {
    expect(typeIn(kernel(), 0, "rdi")).toBe("struct file *");
    expect(typeIn(kernel(), 0, "rsi")).toBe("long");
    expect(typeIn(kernel(), 0x0f, "rdi")).toBe("struct file *+24");
    // The callee leaves rbx as it was, and rdi and rcx as it likes.
    expect(typeIn(kernel(), 0x1d, "rbx")).toBe("struct file *");
    expect(typeIn(kernel(), 0x1d, "rdi")).toBeUndefined();
    expect(typeIn(kernel(), 0x1d, "rcx")).toBeUndefined();
    expect(typeIn(kernel(), 0x1d, "rax")).toBe("struct inode *");
    // pop gives back what push kept: nothing is known of the caller's rbx.
    expect(typeIn(kernel(), 0x3b, "rbx")).toBeUndefined();
  });

  it("tells the chain of an operand's base", () => {
    const flow = flowOf(kernel(), TEXT);
    expect(flow.describe(at(0x22))).toBe("reads file->inode->flags");
    expect(origin(kernel(), 0x22, "rdx")).toEqual(["file->inode", "parameter file"]);
    expect(flow.originOf(at(0x22), "rdx")).toMatchObject({
      kind: "load",
      pc: TEXT + 4n,
      member: "inode",
      container: "struct file",
      offset: 0x10n,
    });
    expect(origin(kernel(), 0x25, "rax")).toEqual(["result of helper"]);
    expect(flow.originOf(at(0x25), "rcx")).toMatchObject({ kind: "clobbered", pc: TEXT + 0x18n });
    expect(flow.originOf(at(0x25), "rbp")).toEqual({ kind: "entry", register: "rbp" });
    // CFA - 0x28: the slot that rax was spilled to.
    expect(flow.originOf(at(0x22), { slot: -0x28 })).toMatchObject({ kind: "load", member: "inode" });
    expect(flow.at(at(0x18))?.call).toMatchObject({ name: "helper", type: { kind: "function" } });
    expect(flow.at(TEXT + 1n + 1n)).toBeUndefined();
  });

  it("walks a loop over a list until nothing changes", () => {
    const code = `
4885ff  test   %rdi,%rdi
740b    je     10
8b4708  mov    0x8(%rdi),%eax
488b3f  mov    (%rdi),%rdi
4885ff  test   %rdi,%rdi
75f5    jne    5
c3      ret`;
    const list = kernelWith("x86_64", code, { type: named(functionType(VOID, pointerTo(ITEM)), "head") });
    expect(typeIn(list, 5, "rdi")).toBe("struct item *");
    expect(touched(list).map((line) => line.replace(/.*(->)/, "$1"))).toEqual(["->id", "->next"]);
    expect(origin(list, 5, "rdi")).toContain("parameter head");
  });

  it("joins: NULL adds nothing, two types leave none", () => {
    const code = `
31c0      xor    %eax,%eax
85f6      test   %esi,%esi
7404      je     a
488b4710  mov    0x10(%rdi),%rax
8b4808    mov    0x8(%rax),%ecx
85f6      test   %esi,%esi
7503      jne    14
4889f8    mov    %rdi,%rax
8b4808    mov    0x8(%rax),%ecx
c3        ret`;
    expect(touched(kernelWith("x86_64", code))).toEqual(["+6 file->inode", "+a file->inode->flags"]);
    expect(typeIn(kernelWith("x86_64", code), 0x14, "rax")).toBeUndefined();
    expect(flowOf(kernelWith("x86_64", code), TEXT).originOf(at(0x14), "rax")).toMatchObject({ kind: "merge", pc: TEXT + 0x14n });
  });

  it("arrays, unions, bit-fields, and places outside", () => {
    const code = `
4863f6          movslq %esi,%rsi
488b54f720      mov    0x20(%rdi,%rsi,8),%rdx
8b4a08          mov    0x8(%rdx),%ecx
4c8b44b720      mov    0x20(%rdi,%rsi,4),%r8
448a4f11        mov    0x11(%rdi),%r9b
c70701000000    movl   $0x1,(%rdi)
4c8b17          mov    (%rdi),%r10
418b4208        mov    0x8(%r10),%eax
8b4708          mov    0x8(%rdi),%eax
488b8700040000  mov    0x400(%rdi),%rax
c3              ret`;
    const kernel = kernelWith("x86_64", code, { type: named(functionType(VOID, pointerTo(TABLE), LONG), "t", "i") });
    expect(touched(kernel)).toEqual([
      "+3 t->entries[]",
      "+8 t->entries[]->flags",
      // An index in steps of half an entry, at +b, names nothing.
      "+10 t->name[7]",
      "+14 t->half",
      // Both of the union are as large: which one it is cannot be told, and no type follows.
      "+1a t->count|owner",
      "+21 t->low|high",
      "+24 t + 0x400",
    ]);
  });

  it("a jump through a table may lead anywhere", () => {
    const code = `
4889fb          mov    %rdi,%rbx
488b4710        mov    0x10(%rdi),%rax
83fe03          cmp    $0x3,%esi
770e            ja     1a
ff24f500000082  jmp    *table(,%rsi,8)
8b4808          mov    0x8(%rax),%ecx
488b4310        mov    0x10(%rbx),%rax
8b5708          mov    0x8(%rdi),%edx
31ff            xor    %edi,%edi
c3              ret`;
    // rbx and rdi hold at the jump what they hold everywhere; rax is something else behind +16 and before it.
    expect(touched(kernelWith("x86_64", code))).toEqual(["+3 file->inode", "+13 file->inode->flags", "+16 file->inode", "+1a file->mode"]);
    expect(typeIn(kernelWith("x86_64", code), 0x1f, "rdi")).toBe("struct file *");
  });

  it("a slot that a callee may write through its address is forgotten", () => {
    const code = `
4883ec28    sub    $0x28,%rsp
48897c2418  mov    %rdi,0x18(%rsp)
48897c2408  mov    %rdi,0x8(%rsp)
488d7c2410  lea    0x10(%rsp),%rdi
e8e8030000  call   helper
488b442418  mov    0x18(%rsp),%rax
8b4808      mov    0x8(%rax),%ecx
488b542408  mov    0x8(%rsp),%rdx
8b4a08      mov    0x8(%rdx),%ecx
4883c428    add    $0x28,%rsp
c3          ret`;
    expect(touched(kernelWith("x86_64", code))).toEqual(["+25 file->mode"]);
  });

  it("keeps the stack over pushf and popf", () => {
    const code = `
4883ec18    sub    $0x18,%rsp
48897c2408  mov    %rdi,0x8(%rsp)
9c          pushf
58          pop    %rax
50          push   %rax
9d          popf
488b542408  mov    0x8(%rsp),%rdx
8b4a08      mov    0x8(%rdx),%ecx
4883c418    add    $0x18,%rsp
c3          ret`;
    expect(touched(kernelWith("x86_64", code))).toEqual(["+12 file->mode"]);
  });

  it("variables, per-CPU variables, calls through members, narrow copies", () => {
    const code = `
488b0520000001    mov    0x1000020(%rip),%rax
8b4808            mov    0x8(%rax),%ecx
48c7c200000082    mov    $0xffffffff82000000,%rdx
488b5218          mov    0x18(%rdx),%rdx
8b4a08            mov    0x8(%rdx),%ecx
48c7c000100000    mov    $0x1000,%rax
654803042500200000 add   %gs:0x2000,%rax
8b4808            mov    0x8(%rax),%ecx
ff5728            call   *0x28(%rdi)
8b4808            mov    0x8(%rax),%ecx
ffd3              call   *%rbx
8b4808            mov    0x8(%rax),%ecx
89f8              mov    %edi,%eax
c3                ret`;
    const kernel = kernelWith("x86_64", code, {
      symbols: {
        files: [0xffff_ffff_8200_0000n, "D"],
        root: [0xffff_ffff_8200_0027n, "D"],
        behind: [0xffff_ffff_8200_0040n, "D"],
        __per_cpu_start: [0n, "A"],
        inodes: [0x1000n, "A"],
        this_cpu_off: [0x2000n, "A"],
        __per_cpu_end: [0x3000n, "A"],
      },
      variables: { root: pointerTo(INODE), inodes: INODE, this_cpu_off: LONG },
    });
    const texts = touched(kernel);
    expect(texts).toContain("+0 root");
    expect(texts).toContain("+7 root->flags");
    // The variable has no type, and neither has what is loaded from it.
    expect(texts).toContain("+11 files + 0x18");
    expect(typeIn(kernel, 0x15, "rdx")).toBeUndefined();
    expect(texts).toContain("+28 per_cpu(inodes).flags");
    expect(texts).toContain("+2b file->open");
    expect(typeIn(kernel, 0x2e, "rax")).toBe("struct inode *");
    expect(typeIn(kernel, 0x33, "rax")).toBeUndefined();
    // A pointer's lower half is none.
    expect(typeIn(kernel, 0x38, "rax")).toBeUndefined();
  });

  it("is silent about functions that the compiler changed, or that share a name", () => {
    const renamed = kernelWith("x86_64", X86, {
      symbols: { f: [TEXT + 0x2000n, "t"], "f.isra.0": [TEXT, "t"], helper: [TEXT + 0x400n, "t"] },
    });
    expect(flowOf(renamed, TEXT).type).toBeUndefined();
    expect(touched(renamed)).not.toContain("+4 file->inode");
  });
});

describe("arm64", () => {
  const code = `
fd7bbda9  stp x29, x30, [sp, #-48]!
fd030091  mov x29, sp
f35301a9  stp x19, x20, [sp, #16]
f30300aa  mov x19, x0
010840f9  ldr x1, [x0, #16]
220840b9  ldr w2, [x1, #8]
e11700f9  str x1, [sp, #40]
f9000094  bl helper
e31740f9  ldr x3, [sp, #40]
640840b9  ldr w4, [x3, #8]
050840b9  ldr w5, [x0, #8]
064138d5  mrs x6, sp_el0
c70840b9  ldr w7, [x6, #8]
68620091  add x8, x19, #24
090540f9  ldr x9, [x8, #8]
490000b4  cbz x9, +8
2a0840b9  ldr w10, [x1, #8]
f35341a9  ldp x19, x20, [sp, #16]
fd7bc3a8  ldp x29, x30, [sp], #48
c0035fd6  ret`;

  it("follows pairs, writeback, the frame pointer, and current in SP_EL0", () => {
    const kernel = kernelWith("aarch64", code);
    expect(touched(kernel)).toEqual([
      "+10 file->inode",
      "+14 file->inode->flags",
      "+24 file->inode->flags",
      "+28 helper()->flags",
      "+30 current->pid",
      "+38 (struct file *)->path.count",
    ]);
    // x1 is the callee's; x19 is given back from its slot.
    expect(typeIn(kernel, 0x40, "x1")).toBeUndefined();
    expect(typeIn(kernel, 0x44, "x19")).toBe("struct file *");
    expect(typeIn(kernel, 0x48, "x19")).toBeUndefined();
    expect(origin(kernel, 0x38, "x8")).toEqual(["file + 0x18", "parameter file"]);
  });
});

describe("any bytes at all", () => {
  it.each(["x86_64", "aarch64"] as const)("are followed to an end on %s, and every question has an answer", (machine) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 400 }), (bytes) => {
        // Every second one is bent into what functions are made of: short jumps back, loads, calls.
        const code = bytes.map((byte, i) =>
          machine === "x86_64" && i % 5 === 0 ? ([0x48, 0x74, 0xeb, 0x8b, 0xe8][byte % 5] as number) : byte,
        );
        const flow = flowOf(kernelWith(machine, Array.from(code, (byte) => byte.toString(16).padStart(2, "0")).join("")), TEXT);
        for (const pc of flow.addresses) {
          for (const { register } of flow.at(pc)?.registers.values() ?? []) originLinks(flow.originOf(pc, register));
          flow.describe(pc);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("a long function of jumps to each other ends within the bound of visits", () => {
    // jne to the start from everywhere, and each block changes a register.
    const block = (i: number) => `48ffc7 inc %rdi\n0f85${littleEndian(-(i * 9 + 9))} jne start`;
    const started = performance.now();
    const flow = flowOf(kernelWith("x86_64", Array.from({ length: 100 }, (_, i) => block(i)).join("\n")), TEXT);
    expect(flow.at(at(450))?.reached).toBe(true);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("an origin through ways that part and meet, two values changing places on one of them, is found in bounded time", () => {
    const diamond = ["85ff test %edi,%edi", "7409 je over", "4889c2 mov %rax,%rdx", "4889d8 mov %rbx,%rax", "4889d3 mov %rdx,%rbx"];
    const code = ["488b07 mov (%rdi),%rax", "488b5f08 mov 0x8(%rdi),%rbx", ...Array.from({ length: 40 }, () => diamond).flat(), "c3 ret"];
    const flow = flowOf(kernelWith("x86_64", code.join("\n")), TEXT);
    const started = performance.now();
    expect(flow.originOf(at(7 + 40 * 13), "rax").kind).toBe("merge");
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

function littleEndian(value: number): string {
  return Array.from({ length: 4 }, (_, i) => ((value >> (i * 8)) & 0xff).toString(16).padStart(2, "0")).join("");
}
