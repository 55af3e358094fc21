/** `--api`: library code for types, values and the structures behind them (p, struct, list, tree, whatis, ptype). */
import type { Kernel } from "../../kernel/kernel.ts";
import { literal } from "../api-code.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { PrintResult } from "../support/print-expression.ts";
import type { StructDefinition } from "../support/struct-definition.ts";
import { resolveStruct, type StructName } from "../support/struct-name.ts";
import { addressCode } from "./memory.ts";

/** C's name of a structure. */
export function spelling({ type, name, isTypedef }: StructName): string {
  return isTypedef ? name : `${type.kind} ${name}`;
}

/** p, print and output. */
export function printApi(text: string, { values, untyped, perCpu }: PrintResult): string | undefined {
  if (perCpu !== undefined)
    return `const offset = kernel.symbol(${literal(perCpu.name)}).address;
const addresses = kernel.cpus.map((cpu) => ({ cpu, address: kernel.perCpuAddress(offset, cpu) }));
return { values: [], perCpu: { name: ${literal(perCpu.name)}, addresses } };`;
  if (untyped !== undefined) {
    if (untyped.rows.some((row) => !("words" in row))) return undefined;
    const read = `kernel.memory.u${untyped.bits}`;
    const words = untyped.rows.flatMap((row) => ("words" in row ? row.words : [])).length;
    return `const { name, address, size } = kernel.symbol(${literal(untyped.name)});
const words = Array.from({ length: ${words} }, (_, i) => BigInt(${read}(address + BigInt(i * ${untyped.bits / 8}))));
return { untyped: { name, address, size, bits: ${untyped.bits}${words === 1 ? ", word: words[0]" : ""} } };`;
  }
  const cpus = values.map(({ cpu }) => cpu);
  if (cpus.some((cpu) => cpu !== undefined)) {
    const label = /^per_cpu\(([\w$]+), \d+\)(.*)$/s.exec(values[0]?.label ?? "") ?? [];
    if (label[1] === undefined) return undefined;
    const path = (label[2] ?? "") === "" ? "" : `.get(${literal((label[2] as string).replace(/^(\.|->)/, ""))})`;
    return `const values = [${cpus.join(", ")}].map((cpu) => {
  const value = kernel.perCpu(${literal(label[1])}, cpu)${path};
  return { cpu, address: value.address, value: value.node() };
});
return { values };`;
  }
  return `const value = kernel.expression(${literal(text)});
return { values: [{ address: value.address, value: value.node() }] };`;
}

/** A structure's definition as struct and whatis give it. @param offsets the text has them, which is not the library's */
export function definitionApi(text: string, offsets: boolean, wrap: (definition: string) => string): string {
  const code = `kernel.definition(${literal(text)})`;
  return offsets ? `const { text, ...definition } = ${code};\n${wrap("definition")}` : `const definition = ${code};\n${wrap("definition")}`;
}

/** Properties of a value as `struct`, `list -s` and `tree -s` show it: whole, or by members. */
export function objectCode(members: readonly string[]): string {
  return members.length === 0
    ? "value: each.node()"
    : `members: ${JSON.stringify(members)}.map((path) => ({ path, value: each.get(path).node() }))`;
}

/** True when Value.get() understands the paths: no slices. */
export function plainPaths(members: readonly { readonly path: string }[]): boolean {
  return members.every(({ path }) => /^[\w$]+(\[\d+\]|\.[\w$]+|->[\w$]+)*$/.test(path));
}

/** struct, union and *: objects at addresses. */
export function structApi(
  struct: StructName,
  objects: readonly { readonly code: string; readonly cpu?: number }[],
  count: number,
): string | undefined {
  if (!plainPaths(struct.members)) return undefined;
  const type = literal(spelling(struct));
  const several = Math.abs(count) > 1;
  const places = objects.map(({ code, cpu }) => (cpu === undefined ? `{ at: ${code} }` : `{ cpu: ${cpu}, at: ${code} }`));
  const spread = several
    ? `.flatMap(({ cpu, at }) => Array.from({ length: ${Math.abs(count)} }, (_, i) => ({ cpu, at: at + BigInt(i * size) })))`
    : "";
  return `const { size } = kernel.object(${type}, 0n);
const objects = [${places.join(", ")}]${spread}.map(({ cpu, at }) => {
  const each = kernel.object(${type}, at);
  return { cpu, address: each.address, ${objectCode(struct.members.map(({ path }) => path))} };
});
return { kind: ${literal(struct.type.kind)}, name: ${literal(struct.name)}, size, objects };`;
}

/** `-s` of list and tree; undefined when the library has no equal. */
interface StructuresCode {
  /** Lines that define how a structure is shown. */
  readonly lines: string;
  /** The property of an entry. */
  readonly property: string;
}

function structuresCode(kernel: Kernel, args: ParsedArguments): StructuresCode | undefined {
  const structs = [...args.values("-s"), ...args.values("-S")].map((text) => resolveStruct(kernel, text));
  if (structs.length === 0) return { lines: "", property: "" };
  if (structs.some(({ members }) => !plainPaths(members))) return undefined;
  const shown = structs.map((struct, i) => {
    const shape = objectCode(struct.members.map(({ path }) => path));
    return `const show${i} = (each) => ({
  kind: ${literal(struct.type.kind)}, name: ${literal(struct.name)}, address: each.address,
  ${shape},
});\n`;
  });
  const calls = structs.map((struct, i) => `show${i}(kernel.object(${literal(spelling(struct))}, address))`);
  return { lines: shown.join(""), property: `, structures: [${calls.join(", ")}]` };
}

function entriesCode({ lines, property }: StructuresCode, source: string, more = ""): string {
  const rest = more === "" ? "" : `, ${more}`;
  return `${lines}const entry = (address${rest}) => ({ address${rest}${property} });
${source}`;
}

/** list: lists of list_heads, and those whose link points to the next structure. */
export function listApi(
  kernel: Kernel,
  args: ParsedArguments,
  { typed, start, member }: { readonly typed: string; readonly start: bigint; readonly member: string | undefined },
): string | undefined {
  if (["-e", "-r", "-B", "-l", "-O"].some((flag) => args.has(flag))) return undefined;
  const structures = structuresCode(kernel, args);
  const [struct, path] = splitMember(member);
  if (structures === undefined || struct === undefined || path === undefined) return undefined;
  const type = literal(spelling(resolveStruct(kernel, struct)));
  const at = addressCode(kernel, typed, start);
  if (args.has("-H"))
    return entriesCode(
      structures,
      `const head = kernel.object("struct list_head", ${at});
return { entries: [...head.list(${type}, ${literal(path)})].map(({ address }) => entry(address)) };`,
    );
  if (args.has("-h"))
    return entriesCode(
      structures,
      `const first = kernel.object(${type}, ${at});
const all = [first, ...first.get(${literal(path)}).list(${type}, ${literal(path)})];
return { entries: all.map(({ address }) => entry(address)) };`,
    );
  return entriesCode(
    structures,
    `const all = [];
for (let here = kernel.object(${type}, ${at}); here.address !== 0n; here = here.get(${literal(path)}).dereference()) {
  if (all.some(({ address }) => address === here.address)) break;
  all.push(here);
}
return { entries: all.map(({ address }) => entry(address)) };`,
  );
}

function splitMember(text: string | undefined): readonly [struct: string | undefined, path: string | undefined] {
  const found = /^(\w+)\.([\w.]+)$/.exec(text ?? "");
  return [found?.[1], found?.[2]];
}

/** tree: all four kinds. */
export function treeApi(
  kernel: Kernel,
  args: ParsedArguments,
  { typed, address, type }: { readonly typed: string; readonly address: bigint; readonly type: string },
): string | undefined {
  if (args.has("-N") || args.has("-v")) return undefined;
  const structures = structuresCode(kernel, args);
  const within = args.value("-r");
  const [holder, path] = splitMember(within);
  if (structures === undefined || (within !== undefined && path === undefined)) return undefined;
  const at = addressCode(kernel, typed, address);
  const rootType = type === "rbtree" ? "struct rb_root" : type === "maple" ? "struct maple_tree" : arrayRoot(kernel);
  const root =
    holder === undefined || path === undefined
      ? `kernel.object(${literal(rootType)}, ${at})`
      : `kernel.object(${literal(spelling(resolveStruct(kernel, holder)))}, ${at}).get(${literal(path)})`;
  if (type === "rbtree") {
    const [struct, member] = splitMember(args.value("-o"));
    if (args.has("-o") && member === undefined) return undefined;
    const node =
      struct === undefined ? "node" : `node.containerOf(${literal(spelling(resolveStruct(kernel, struct)))}, ${literal(member ?? "")})`;
    const here = struct === undefined ? "node.pointer()" : `${node}.address`;
    const order = args.has("-l") ? ['...walk(node.member("rb_left"))', `${here}`] : [`${here}`, '...walk(node.member("rb_left"))'];
    return entriesCode(
      structures,
      `const walk = (node) => (node.boolean() ? [${order.join(", ")}, ...walk(node.member("rb_right"))] : []);
const root = kernel.object("struct rb_root", ${root}.address);
return { type: "rbtree", entries: walk(root.member("rb_node")).map((address) => entry(address)) };`,
    );
  }
  if (type === "maple")
    return entriesCode(
      structures,
      `const found = [...${root}.mapleTree()];
return { type: "maple", entries: found.map(({ index: first, last, value }) => entry(value.bigint(), { first, last })) };`,
      "range",
    );
  return entriesCode(
    structures,
    `const found = [...${root}.xarray()];
return { type: ${literal(type)}, entries: found.map(({ index, value }) => entry(value.bigint(), index)) };`,
    "index",
  );
}

function arrayRoot(kernel: Kernel): string {
  return kernel.types.tryStruct("xarray") === undefined ? "struct radix_tree_root" : "struct xarray";
}

/** What whatis found, as far as code depends on it. */
export interface Meaning {
  readonly kind: string;
  readonly name?: string;
  readonly type?: string;
  readonly perCpu?: boolean;
  readonly definition?: StructDefinition;
}

/** whatis. */
export function whatisApi(text: string, { kind, name, type, perCpu }: Meaning, offsets: boolean): string | undefined {
  const named = literal(name ?? text);
  switch (kind) {
    case "struct":
    case "union":
      return definitionApi(text, offsets, (definition) => `return { kind: ${literal(kind)}, definition: ${definition} };`);
    case "enum":
      return `const { name, size, enumerators } = kernel.type(${literal(`enum ${name ?? ""}`)});
return { kind: "enum", name, size, constants: enumerators.map(({ name, value }) => ({ name, value: Number(value) })) };`;
    case "typedef":
      return `const { size } = kernel.object(${named}, 0n);
return { kind: "typedef", name: ${named}, size };`;
    case "variable":
      return `const value = ${perCpu === true ? `kernel.perCpu(${named}, kernel.cpus[0])` : `kernel.variable(${named})`};
return { kind: "variable", name: ${named}, type: value.typeName, size: value.size };`;
    case "constant":
      return `return { kind: "constant", name: ${named}, value: Number(kernel.constant(${named})) };`;
    case "type":
      return `const { typeName, size } = kernel.object(${literal(type ?? text)}, 0n);
return { kind: "type", type: typeName, size };`;
    case "expression":
      return `const { typeName, size } = kernel.expression(${literal(text)});
return { kind: "expression", type: typeName, size };`;
    default:
      return undefined;
  }
}

/** ptype of a structure by its name. */
export function ptypeApi(text: string, type: string): string | undefined {
  if (/^(struct|union) \w+$/.test(type) && (text === type || text === type.replace(/^\w+ /, "")))
    return `const { kind, name, size } = kernel.definition(${literal(type)});
return { type: \`\${kind} \${name}\`, size };`;
  return undefined;
}
