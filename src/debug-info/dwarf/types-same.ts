/**
 * When two definitions of one name are the same: every file that includes a header has its own entry for each of its types, and what
 * tells them apart is the layout. What they refer to is compared by name, as C does it, and anonymous types by their content.
 */
import type { CType } from "../c-type.ts";

/** Anonymous structures within each other, pointers to pointers and the like, in a row. */
const MAX_DEPTH = 32;

/** The types that differ from all before them, in order. */
export function distinct(types: Iterable<CType>): readonly CType[] {
  const found = new Map<string, CType>();
  for (const type of types) {
    const key = contentOf(type);
    if (!found.has(key)) found.set(key, type);
  }
  return [...found.values()];
}

/** A type written out to the names that it refers to: equal texts, equal definitions. */
export function contentOf(type: CType): string {
  return type.kind === "typedef" ? `typedef ${type.name} = ${refer(type.target, 0)}` : define(type, 0);
}

function define(type: CType, depth: number): string {
  switch (type.kind) {
    case "struct":
    case "union": {
      const members = type.members.map(
        (each) => `${each.name ?? ""}@${each.bitOffset}:${each.bitSize ?? ""} ${refer(each.type, depth + 1)};`,
      );
      return `${type.kind} ${type.name ?? ""} ${type.size} {${members.join("")}}`;
    }
    case "enum":
      return `enum ${type.name ?? ""} ${type.size}${type.signed ? "s" : "u"} {${type.enumerators.map(({ name, value }) => `${name}=${value}`).join()}}`;
    case "function": {
      const parameters = type.parameters.map((each) => refer(each.type, depth + 1));
      return `(${parameters.join()}${type.variadic ? ",..." : ""}) ${refer(type.returns, depth + 1)}`;
    }
    case "int":
      return `${type.name} ${type.size}${type.signed ? "s" : "u"} ${type.encoding}`;
    default:
      return refer(type, depth);
  }
}

function refer(type: CType, depth: number): string {
  if (depth > MAX_DEPTH) return "…";
  switch (type.kind) {
    case "void":
      return "void";
    case "int":
    case "float":
      return `${type.name} ${type.size}`;
    case "pointer":
      return `*${refer(type.target, depth + 1)}`;
    case "array":
      return `[${type.length}]${refer(type.element, depth + 1)}`;
    case "typedef":
      return type.name;
    case "const":
    case "volatile":
    case "restrict":
    case "tag":
      return `${type.kind} ${refer(type.target, depth + 1)}`;
    case "forward":
      return `${type.of} ${type.name}`;
    case "struct":
    case "union":
    case "enum":
      return type.name === undefined ? define(type, depth + 1) : `${type.kind} ${type.name}`;
    case "function":
      return define(type, depth + 1);
  }
}
