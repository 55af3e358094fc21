/** `tree`: walks a red-black tree, radix tree, XArray or maple tree and shows its entries, or members of the structures that hold them. */
import type { VirtualAddress } from "../bytes/address.ts";
import { CorruptionError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { treeApi } from "./api/values.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { rangeText } from "./support/maple-text.ts";
import { nearestNames } from "./support/nearest.ts";
import { type NodeStructure, nodeStructureLines, readStructures } from "./support/node-structures.ts";
import { parseAddress } from "./support/numbers.ts";
import { chosenRadix } from "./support/radix.ts";
import { parseOffset, resolveStruct, type StructName } from "./support/struct-name.ts";
import { holder, TREE_KINDS, type TreeKind, type TreeStep, treeSteps } from "./support/tree-walk.ts";
import { valueReader } from "./support/value-reader.ts";

/** An entry, what -v says of a node, or damage where it was found. */
export interface TreeEntry {
  /** The structure's address: the node's minus -o, or the stored word. */
  readonly address?: bigint;
  readonly path?: string;
  readonly index?: bigint;
  readonly range?: { readonly first: bigint; readonly last: bigint; readonly depth: number };
  readonly structures?: readonly NodeStructure[];
  /** A line of -v. */
  readonly text?: string;
  /** Which rule of the tree is broken, and where. */
  readonly problem?: string;
}

export interface TreeResult {
  readonly type: TreeKind;
  /** In the order of the walk; damage stands between them, and ends the walk with an error when all is shown. */
  readonly entries: Iterable<TreeEntry>;
  readonly positions: boolean;
  readonly verbose: boolean;
  readonly raw: boolean;
  readonly radix?: 10 | 16;
}

const SYNOPSIS =
  "[-t rbtree|radix|xarray|maple] [-r offset] [-o offset] [-s | -S struct[.member[,member]]] [-x | -d] [-l] [-p] [-v] [-N] start";

export const tree = defineCommand<TreeResult>({
  spec: {
    name: "tree",
    summary: "red-black tree, radix tree, XArray or maple tree",
    synopsis: [SYNOPSIS],
    description: [
      "Walks a tree and prints the addresses of its entries. start is the root (rb_root, rb_root_cached, radix_tree_root, xarray, maple_tree), a symbol or an address; with -r a structure that holds the root, with -N a node.",
      "A red-black tree holds nodes: -o tells where in their structures they lie, and each node comes before its left and right subtrees (-l: in ascending order). The other trees hold pointers to the structures.",
      "Every rule of the tree is checked on the way: parents, colours, black heights, slots, counts, a node that comes twice or cannot be read. What breaks one is told where it was found, the walk goes on with the rest, and the command fails in the end.",
    ],
    options: [
      { flag: "-t", argument: "type", help: "rbtree (the default), radix, xarray or maple; may be shortened" },
      { flag: "-r", argument: "offset", help: "start is a structure that holds the root there: bytes or structure.member" },
      { flag: "-o", argument: "offset", help: "rbtree: where in a structure its node lies: bytes or structure.member" },
      { flag: "-s", argument: "struct", help: "show this structure, or members: struct.member,member" },
      { flag: "-S", argument: "struct", help: "like -s with plain values: no quotes' tails, enums as numbers" },
      { flag: "-l", help: "rbtree: in ascending order" },
      { flag: "-p", help: "show the position of every entry" },
      { flag: "-v", help: "maple: show nodes and empty ranges" },
      { flag: "-N", help: "start is a node, not a root" },
      { flag: "-x", help: "numbers in hexadecimal" },
      { flag: "-d", help: "numbers in decimal" },
    ],
    operands: ["symbol", "member"],
    examples: [
      ["tree -t rbtree -o vmap_area.rb_node -s vmap_area.va_start,va_end free_vmap_area_root", "free areas of vmalloc"],
      ["tree -t xarray -r pid_namespace.idr -s pid.level,count init_pid_ns", "all struct pid"],
      ["tree -t maple -r mm_struct.mm_mt -s vm_area_struct.vm_start,vm_end ff3589d601301200", "mappings of an mm"],
    ],
    differences: [
      "-t radix takes what a radix tree became in 4.20, an XArray; crash refuses it on newer kernels.",
      "Entries of maple trees are hexadecimal as those of all trees; crash prints them by the radix.",
      "A damaged subtree is left out and told, and the rest is walked with its rules checked.",
      "-r and -o take members to any depth: -r inode.i_data.i_pages.",
    ],
  },
  run: runTree,
  api(session, args) {
    const { type } = runTree(session, args);
    const [typed = ""] = args.operands;
    return treeApi(session.kernel, args, { typed, address: parseAddress(session.kernel, typed), type });
  },
  *text(result, layout) {
    const radix = result.radix ?? layout.radix;
    for (const entry of result.entries) yield* entryLines(result, entry, radix);
  },
});

function runTree(session: Session, args: ParsedArguments): TreeResult {
  const { kernel } = session;
  const type = treeKind(args.value("-t") ?? "rbtree");
  const [word, ...more] = args.operands;
  if (word === undefined || more.length > 0) throw new UsageError(`usage: tree ${SYNOPSIS}`);
  refuseForeign(type, args);
  const radix = chosenRadix(args);
  const structs = [...args.values("-s"), ...args.values("-S")].map((text) => resolveStruct(kernel, text));
  const offset = offsetOf(kernel, args, "-o");
  const start = holder(parseAddress(kernel, word), -offsetOf(kernel, args, "-r"));
  const plan = { type, start, isNode: args.has("-N"), inOrder: args.has("-l"), verbose: args.has("-v") };
  const steps = treeSteps(kernel, plan);
  return {
    type,
    entries: lazy(() => entries(session, steps, structs, offset)),
    positions: args.has("-p"),
    verbose: args.has("-v"),
    raw: args.has("-S"),
    ...(radix === undefined ? {} : { radix }),
  };
}

function treeKind(word: string): TreeKind {
  const found = TREE_KINDS.filter((type) => type.startsWith(word));
  const [only] = found;
  if (only !== undefined && (found.length === 1 || word === only)) return only;
  if (found.length > 1) throw new UsageError(`"${word}" may be ${found.join(" or ")}`);
  const near = nearestNames(word, TREE_KINDS);
  throw new UsageError(`no kind of tree is called "${word}": ${near.length === 0 ? TREE_KINDS.join(", ") : `nearest: ${near.join(", ")}`}`);
}

/** Options that mean nothing to this kind of tree. */
function refuseForeign(type: TreeKind, args: ParsedArguments): void {
  const owners: Readonly<Record<string, TreeKind>> = { "-o": "rbtree", "-l": "rbtree", "-v": "maple" };
  for (const [flag, owner] of Object.entries(owners))
    if (args.has(flag) && owner !== type) throw new UsageError(`${flag} is for trees of type ${owner}, not ${type}`);
}

function offsetOf(kernel: Kernel, args: ParsedArguments, flag: string): number {
  const text = args.value(flag);
  return text === undefined ? 0 : parseOffset(kernel, text);
}

function* entries(
  session: Session,
  steps: () => Generator<TreeStep>,
  structs: readonly StructName[],
  offset: number,
): Generator<TreeEntry> {
  const reader = valueReader(session);
  const problems: CorruptionError[] = [];
  for (const step of steps()) {
    if (step.kind === "text") yield { text: step.text };
    else if (step.kind === "problem") {
      problems.push(step.problem);
      yield { problem: step.problem.message };
    } else {
      const { path, index, range } = step;
      const address: VirtualAddress = holder(step.address, offset);
      yield {
        address,
        path,
        ...(index === undefined ? {} : { index }),
        ...(range === undefined ? {} : { range }),
        ...(structs.length === 0 ? {} : { structures: readStructures(reader, structs, address) }),
      };
    }
  }
  const [first] = problems;
  if (first !== undefined) throw damaged(first, problems.length);
}

/** The damage itself was told where it was found. */
function damaged({ structure, address }: CorruptionError, count: number): CorruptionError {
  return new CorruptionError(
    structure,
    `the tree breaks its rules ${count === 1 ? "here" : `at ${count} places, first here`}, as told above`,
    address,
  );
}

function* entryLines({ positions, verbose, raw }: TreeResult, entry: TreeEntry, radix: 10 | 16): Iterable<string> {
  const { address, path, index, range, structures, text, problem } = entry;
  if (text !== undefined) yield text;
  if (problem !== undefined) yield `  <${problem}>`;
  if (address === undefined) return;
  const before = verbose && range !== undefined ? `${"  ".repeat(range.depth)}${rangeText(range.first, range.last)}: ` : "";
  yield `${before}${address.toString(16)}`;
  if (positions) yield `  ${index === undefined ? "" : `index: ${index}  `}position: ${path}`;
  for (const structure of structures ?? []) yield* nodeStructureLines(structure, raw, radix);
}
