/**
 * gdb's `ptype/o`: a structure with offset and size of every member, holes and padding.
 *
 *   /· offset      |    size ·/  type = struct callback_head {
 *   /·      0      |       8 ·/    struct callback_head *next;             members of structure type are written out
 *   /·      8: 3   |       4 ·/    unsigned int flag : 1;                  bitfields with their bit
 *   /· XXX  4-byte hole      ·/
 *   /·                     4 ·/        atomic_t val;                       within a union only sizes
 */
import { declare } from "../../debug-info/c-format-type.ts";
import { type CType, type Member, type StructType, sizeOf } from "../../debug-info/c-type.ts";

/** Columns of the comments. */
const SPACE = " ".repeat(27);
const MAX_LINES = 50_000;
const MAX_DEPTH = 32;

export function layoutLines(type: StructType, radix: 10 | 16): readonly string[] {
  const lines = [`/* offset      |    size */  type = ${heading(type)}`];
  new LayoutPrinter(lines, radix).body(type, 0, 4, 0);
  lines.push(`${SPACE}  }`);
  return lines;
}

function heading({ kind, name }: StructType): string {
  return name === undefined ? `${kind} {` : `${kind} ${name} {`;
}

class LayoutPrinter {
  readonly #lines: string[];
  readonly #radix: 10 | 16;

  constructor(lines: string[], radix: 10 | 16) {
    this.#lines = lines;
    this.#radix = radix;
  }

  /** @param base bits from the start of the outermost structure; @param indent blanks before a member */
  body(type: StructType, base: number, indent: number, depth: number): void {
    const blanks = " ".repeat(indent);
    let end = 0;
    for (const member of type.members) {
      if (this.#lines.length > MAX_LINES) return;
      if (type.kind === "struct") {
        this.#gap(end, member.bitOffset, "hole");
        end = Math.max(end, member.bitOffset + (member.bitSize ?? sizeOf(member.type) * 8));
      }
      const where = type.kind === "union" ? this.#sizeOnly(member) : this.#place(member, base);
      const inner = writtenOut(member.type);
      if (inner === undefined || depth >= MAX_DEPTH) {
        const declared = declare(member.type, member.name ?? "");
        this.#lines.push(`${where}${blanks}${declared}${member.bitSize === undefined ? "" : ` : ${member.bitSize}`};`);
        continue;
      }
      const [before = "", after = ""] = around(member, inner);
      this.#lines.push(`${where}${blanks}${before}${heading(inner)}`);
      this.body(inner, base + member.bitOffset, indent + 4, depth + 1);
      this.#lines.push(`${SPACE}${blanks}}${after};`);
    }
    if (type.kind === "struct" && end > 0) this.#gap(end, type.size * 8, "padding");
    this.#lines.push("", `${SPACE}${blanks}/* total size (bytes): ${String(type.size).padStart(4)} */`);
  }

  #place(member: Member, base: number): string {
    const bit = base + member.bitOffset;
    const offset = Math.floor(bit / 8);
    const size = this.#number(sizeOf(member.type), 8);
    if (member.bitSize === undefined) return `/* ${this.#number(offset, 6)}      |${size} */`;
    return `/* ${this.#number(offset, 6)}:${String(bit % 8).padStart(2)}   |${size} */`;
  }

  #sizeOnly(member: Member): string {
    return `/* ${this.#number(sizeOf(member.type), 21)} */`;
  }

  #number(value: number, width: number): string {
    return (this.#radix === 16 ? `0x${value.toString(16).padStart(4, "0")}` : String(value)).padStart(width);
  }

  #gap(end: number, next: number, what: "hole" | "padding"): void {
    const bits = Math.max(0, next - end);
    if (bits % 8 > 0) this.#lines.push(`/* XXX ${String(bits % 8).padStart(2)}-bit ${what.padEnd(7)}    */`);
    if (bits >= 8) this.#lines.push(`/* XXX ${String(Math.floor(bits / 8)).padStart(2)}-byte ${what.padEnd(7)}   */`);
  }
}

/** Structures are written out where their type is one itself; behind a typedef, a pointer or an array with a name they are not. */
function writtenOut(type: CType): StructType | undefined {
  let here = type;
  let direct = true;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    switch (here.kind) {
      case "struct":
      case "union":
        return direct || here.name === undefined ? here : undefined;
      case "const":
      case "volatile":
      case "restrict":
      case "tag":
        here = here.target;
        break;
      case "pointer":
        direct = false;
        here = here.target;
        break;
      case "array":
        direct = false;
        here = here.element;
        break;
      default:
        return undefined;
    }
  }
  return undefined;
}

/** What stands before and behind the body: `const`, ` *name[2]`. */
function around(member: Member, inner: StructType): readonly [string, string] {
  const text = declare(member.type, member.name ?? "");
  const spelling = `${inner.kind} ${inner.name ?? "{...}"}`;
  const at = text.indexOf(spelling);
  return at < 0 ? ["", ` ${member.name ?? ""}`] : [text.slice(0, at), text.slice(at + spelling.length)];
}
