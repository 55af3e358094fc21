/**
 * Layouts of types as text, to hold what BTF says against what DWARF says, and both against drgn. Every difference that is nobody's fault is
 * taken out here, with its reason; none is left to the test.
 */
import { createHash } from "node:crypto";
import { type CType, type StructType, strip } from "../../src/debug-info/c-type.ts";
import { contentOf } from "../../src/debug-info/dwarf/types-same.ts";
import type { Elf, ElfSection } from "../../src/debug-info/elf.ts";

/** `count` of the names, as good as drawn at random and the same each time. */
export function sample(names: Iterable<string>, count: number, seed = "inquest"): string[] {
  const hash = (name: string) => createHash("sha1").update(`${seed} ${name}`).digest("hex");
  return [...new Set(names)]
    .map((name) => [hash(name), name] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, count)
    .map(([, name]) => name);
}

/** `size|name:bit offset:bit width …`, members of anonymous structures among those of the outer, as drgn's script prints it. */
export function layoutOf(type: StructType): string {
  const members: string[] = [];
  collect(type, 0, members);
  return `${type.size}|${members.join(" ")}`;
}

function collect(type: StructType, base: number, into: string[]): void {
  for (const member of type.members) {
    if (member.name !== undefined) {
      into.push(`${member.name}:${base + member.bitOffset}:${member.bitSize ?? 0}`);
      continue;
    }
    const inner = strip(member.type);
    if (inner.kind === "struct" || inner.kind === "union") collect(inner, base + member.bitOffset, into);
  }
}

/**
 * Everything of a type to the names that it refers to. BTF has arrays of one dimension only: pahole multiplies the lengths of `int a[2][3]`
 * (btf_encoder.c, array_type__nelems).
 */
export function contentAsBtf(type: CType): string {
  let text = contentOf(type);
  for (let before = ""; before !== text; ) {
    before = text;
    text = text.replace(/\[(\d+)\]\[(\d+)\]/g, (_, outer, inner) => `[${Number(outer) * Number(inner)}]`);
  }
  return text;
}

const SYMBOL = 24;
const STT_OBJECT = 1;
const STT_FUNC = 2;

/** Symbols of a file that say what they are and have a size: what compilers make, and not the linker, nor most of assembler. */
export function sizedSymbols(elf: Elf): { readonly name: string; readonly address: bigint; readonly kind: "function" | "object" }[] {
  const table = elf.section(".symtab") as ElfSection;
  const bytes = elf.read(table);
  const strings = elf.read(elf.sections[table.link] as ElfSection);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / SYMBOL) }, (_, i) => i * SYMBOL).flatMap((at) => {
    const type = view.getUint8(at + 4) & 15;
    if ((type !== STT_OBJECT && type !== STT_FUNC) || view.getBigUint64(at + 16, true) === 0n) return [];
    const name = view.getUint32(at, true);
    const text = new TextDecoder().decode(strings.subarray(name, strings.indexOf(0, name)));
    return [{ name: text, address: view.getBigUint64(at + 8, true), kind: type === STT_FUNC ? "function" : "object" }];
  });
}

/** Prints layouts of the types named on standard input, one a line, from the debug information of one file. */
export const DRGN_LAYOUTS = `
import sys, drgn
prog = drgn.Program(drgn.Platform(getattr(drgn.Architecture, sys.argv[2])))
module = prog.extra_module("vmlinux", create=True)
module.try_file(sys.argv[1], force=True)

def collect(type, base, into):
    for member in type.members:
        if member.name is None:
            collect(member.type, base + member.bit_offset, into)
        else:
            into.append("%s:%d:%d" % (member.name, base + member.bit_offset, member.bit_field_size or 0))

for line in sys.stdin:
    name = line.strip()
    try:
        type = prog.type(name)
        members = []
        collect(type, 0, members)
        print("%s|%d|%s" % (name, type.size, " ".join(members)))
    except Exception as error:
        print("%s|! %r" % (name, error))
`;
