/** `list`: walks a linked list and shows its nodes, or members of the structures that hold them. */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError, UsageError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { listApi } from "./api/values.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { type NodeStructure, nodeStructureLines, readStructures } from "./support/node-structures.ts";
import { looksLikeAddress, parseAddress } from "./support/numbers.ts";
import { chosenRadix } from "./support/radix.ts";
import { reasonOf } from "./support/read-value.ts";
import { explained } from "./support/spaces.ts";
import { parseOffset, resolveStruct, type StructName } from "./support/struct-name.ts";
import { valueReader } from "./support/value-reader.ts";

export interface ListResult {
  /** In the order of the list. Walking it may throw where the list is broken; what came before stands. */
  readonly entries: Iterable<ListEntry>;
  /** -S: values without the trimmings of -s. */
  readonly raw: boolean;
  /** Radix given with -x or -d. */
  readonly radix?: 10 | 16;
}

export interface ListEntry {
  /** What crash prints: the structure's address, or with -l and plain -H that of the list_head. */
  readonly address: bigint;
  /** One for each -s or -S. */
  readonly structures?: readonly NodeStructure[];
}

const SYNOPSIS =
  "[[-o] offset] [-e end] [-s | -S struct[.member[,member]] [-l offset]] [-x | -d] [-r | -B] [-h [-O head_offset] | -H] start";

export const list = defineCommand<ListResult>({
  spec: {
    name: "list",
    summary: "linked list",
    synopsis: [SYNOPSIS],
    description: [
      "Walks a list and prints the addresses of its structures. start is the first structure, and offset where in it the pointer to the next one lies (bytes or structure.member, 0 when not given); the list ends at NULL, at start, or at -e.",
      "Lists of list_heads: -H start is the address of the bare head, -h start that of a structure that holds one (the list is circular, and start is shown too, or with -O is only the head). With -s and -l, start is the address of an embedded list_head.",
      "-s shows the structures or members of them, and may be given several times.",
      "A node that comes twice or cannot be read ends the walk with an error; what was found before is shown.",
    ],
    options: [
      { flag: "-o", argument: "offset", help: "where the next pointer lies: bytes or structure.member" },
      { flag: "-e", argument: "end", help: "stop at this address" },
      { flag: "-s", argument: "struct", help: "show this structure, or members: struct.member,member" },
      { flag: "-S", argument: "struct", help: "like -s with plain values: no quotes' tails, enums as numbers" },
      { flag: "-l", argument: "offset", help: "with -s: start is an embedded list_head at this offset" },
      { flag: "-O", argument: "offset", help: "with -h: where the head lies in the structure at start" },
      { flag: "-r", help: "backwards, by prev (list_heads)" },
      { flag: "-B", help: "find loops with Brent's algorithm: constant memory, and the loop's length and start are told" },
      { flag: "-h", help: "start is a structure that holds a list_head" },
      { flag: "-H", help: "start is a bare list_head" },
      { flag: "-x", help: "numbers in hexadecimal" },
      { flag: "-d", help: "numbers in decimal" },
    ],
    operands: ["member", "symbol"],
    examples: [
      ["list task_struct.tasks -s task_struct.pid,comm -h init_task", "all processes"],
      ["list -H modules module.list -s module.name", "the modules"],
      ["list file_system_type.next -s file_system_type.name ffffffff825781a0", "a list that ends with NULL"],
      ["list -o dentry.d_sib -O dentry.d_children -h ffff888003a4c890", "a head elsewhere than the links"],
    ],
    differences: [
      "A member that is a list_head wants -h or -H; crash walks it from the wrong place.",
      "Where the member is known to be a list_head, back pointers are checked: the list is shown whole, and the first node that does not point back is told as an error.",
    ],
  },
  run: runList,
  api(session, args) {
    runList(session, args);
    const { startWord } = operands(session.kernel, args);
    const member = args.value("-o") ?? args.operands.find((word) => word !== startWord);
    return listApi(session.kernel, args, { typed: startWord, start: parseAddress(session.kernel, startWord), member });
  },
  *text({ entries, raw, radix }, layout) {
    const shown = radix ?? layout.radix;
    let empty = true;
    for (const { address, structures } of entries) {
      empty = false;
      yield address.toString(16);
      for (const structure of structures ?? []) yield* nodeStructureLines(structure, raw, shown);
    }
    if (empty) yield "(empty)";
  },
});

interface Plan {
  readonly start: VirtualAddress;
  /** Where in a structure the link lies. */
  readonly offset: number;
  readonly end: bigint | undefined;
  readonly reverse: boolean;
  readonly brent: boolean;
}

function runList(session: Session, args: ParsedArguments): ListResult {
  const { kernel } = session;
  const { startWord, offset, isHead } = operands(kernel, args);
  const start = parseAddress(kernel, startWord);
  const end = args.has("-e") ? parseAddress(kernel, args.value("-e") as string) : undefined;
  const plan: Plan = { start, offset, end, reverse: args.has("-r"), brent: args.has("-B") };
  const structs = [...args.values("-s"), ...args.values("-S")].map((text) => resolveStruct(kernel, text));
  const addresses = walk(kernel, args, plan, isHead);
  const radix = chosenRadix(args);
  const back = args.has("-l") ? parseOffset(kernel, args.value("-l") as string) : 0;
  return {
    entries: lazy(() => withStructures(session, addresses, structs, back)),
    raw: args.has("-S"),
    ...(radix === undefined ? {} : { radix }),
  };
}

/** `[offset] start` in either order of kinds: an offset is structure.member, or the first of two numbers. */
function operands(
  kernel: Kernel,
  args: ParsedArguments,
): { readonly startWord: string; readonly offset: number; readonly isHead: boolean } {
  const words = [...args.operands];
  let offsetWord = args.value("-o");
  if (offsetWord === undefined && words.length >= 2) {
    const at = words.findIndex((word) => /^[A-Za-z_]\w*\.[A-Za-z_]/.test(word));
    offsetWord = words.splice(Math.max(at, 0), 1)[0];
  }
  const [startWord, ...more] = words;
  if (startWord === undefined || more.length > 0) throw new UsageError(`usage: list ${SYNOPSIS}`);
  if (offsetWord === undefined) return { startWord, offset: 0, isHead: false };
  const isMember = /^[A-Za-z_]\w*\./.test(offsetWord);
  if (!isMember && !looksLikeAddress(offsetWord)) throw new UsageError(`"${offsetWord}" is no offset: give bytes or structure.member`);
  const member = isMember ? resolveStruct(kernel, offsetWord).members[0] : undefined;
  if (member !== undefined && member.through.length > 0) throw new UsageError(`"${offsetWord}" leads through a pointer: it is no offset`);
  const plain = member === undefined ? undefined : strip(member.type);
  return {
    startWord,
    offset: member?.offset ?? parseOffset(kernel, offsetWord),
    isHead: plain?.kind === "struct" && plain.name === "list_head",
  };
}

/** The addresses to show, by the kind of list that the options name. The first is read here, so a wrong start is an error at once. */
function walk(kernel: Kernel, args: ParsedArguments, plan: Plan, isHead: boolean): () => Iterable<VirtualAddress> {
  if (args.has("-h") && args.has("-H")) throw new UsageError("-h and -H exclude each other");
  if (args.has("-O") && !args.has("-h")) throw new UsageError("-O belongs to -h");
  if (args.has("-l") && !args.has("-s") && !args.has("-S")) throw new UsageError("-l belongs to -s");
  if (args.has("-h") || args.has("-H")) {
    const headOffset = args.has("-H") ? 0 : args.has("-O") ? parseOffset(kernel, args.value("-O") as string) : plan.offset;
    const head = add(plan.start, headOffset);
    explained(kernel, () => kernel.memory.u64(add(head, plan.reverse ? 8 : 0)));
    const showStart = args.has("-h") && !args.has("-O");
    return () => circular(kernel, head, plan, showStart, isHead);
  }
  const bare = args.has("-l");
  if (isHead && !bare)
    throw new UsageError("that member is a list_head: add -h when start is a structure that holds it, -H when start is the bare head");
  // -r: a list_head's prev lies behind its next.
  const offset = (bare ? 0 : plan.offset) + (plan.reverse ? 8 : 0);
  explained(kernel, () => kernel.memory.u64(add(plan.start, offset)));
  return () => linked(kernel, { ...plan, offset });
}

/**
 * A list of list_heads around a head; it may also end with NULL, as an llist does. Where the member is known to be a list_head, nodes
 * that do not point back are told when the walk has ended: the forward links may still be good.
 */
function* circular(kernel: Kernel, head: VirtualAddress, plan: Plan, showStart: boolean, checkBack: boolean): Generator<VirtualAddress> {
  if (showStart) yield plan.start;
  const forward = plan.reverse ? 8 : 0;
  const watch = new LoopWatch(head, plan.brent);
  let broken: CorruptionError | undefined;
  let previous = head;
  let node = linkOf(kernel, head, forward);
  for (let count = 0; node !== head && node !== 0n; count++) {
    if (count >= MAX_NODES) throw new CorruptionError("list", `more than ${MAX_NODES} entries`, node);
    if (watch.repeats(node)) {
      throw new CorruptionError(
        "list",
        `duplicate list entry, reached again from ${hex16(previous)}: the list does not come back to ${hex16(head)}`,
        node,
      );
    }
    const structure = add(node, -plan.offset);
    if (plan.end !== undefined && (node === plan.end || structure === plan.end)) return;
    // Read before it is shown: what cannot be read is no node.
    const next = linkOf(kernel, node, forward);
    if (checkBack && broken === undefined) broken = backLink(kernel, node, previous, 8 - forward);
    yield structure;
    previous = node;
    node = next;
  }
  if (broken !== undefined) throw broken;
}

function backLink(kernel: Kernel, node: VirtualAddress, previous: VirtualAddress, offset: number): CorruptionError | undefined {
  const back = linkOf(kernel, node, offset);
  if (back === previous) return undefined;
  return new CorruptionError(
    "list",
    `its ${offset === 0 ? "next" : "prev"} is ${hex16(back)} where ${hex16(previous)} points here; the walk went on`,
    node,
  );
}

/** Nodes remembered to find the first one that comes twice; beyond that, and with -B, Brent's method finds the loop. */
const MAX_REMEMBERED = 1 << 20;
const MAX_NODES = 1 << 24;

/** Tells when a walk comes to a node again. */
class LoopWatch {
  readonly #seen = new Set<bigint>();
  readonly #brent: boolean;
  #mark: bigint;
  #steps = 0;
  #power = 1;

  constructor(first: bigint, brent: boolean) {
    this.#brent = brent;
    this.#mark = first;
    if (!brent) this.#seen.add(first);
  }

  /** Length of the loop so far, by Brent's count: right when repeats() found the mark. */
  get length(): number {
    return this.#steps;
  }

  repeats(node: bigint): boolean {
    this.#steps++;
    if (node === this.#mark || this.#seen.has(node)) return true;
    if (!this.#brent && this.#seen.size < MAX_REMEMBERED) this.#seen.add(node);
    if (this.#steps === this.#power) {
      this.#mark = node;
      this.#steps = 0;
      this.#power *= 2;
    }
    return false;
  }
}

/** A list whose link points to the next structure itself. */
function* linked(kernel: Kernel, { start, offset, end, brent }: Plan): Generator<VirtualAddress> {
  const watch = new LoopWatch(start, brent);
  let second: bigint | undefined;
  let node = start;
  for (let count = 0; count < MAX_NODES; count++) {
    yield node;
    const next = linkOf(kernel, node, offset);
    // What ends a list: NULL, the start again, the first item again, a node that points to itself, the end that was named.
    if (next === 0n || next === start || next === end || next === node || next === second) return;
    if (watch.repeats(next)) {
      const what = brent ? loopText(kernel, start, offset, watch.length) : `duplicate list entry, reached again from ${hex16(node)}`;
      throw new CorruptionError("list", what, next);
    }
    second ??= next;
    node = next;
  }
  throw new CorruptionError("list", `more than ${MAX_NODES} entries`, node);
}

function linkOf(kernel: Kernel, node: VirtualAddress, offset: number): VirtualAddress {
  try {
    return virtual(kernel.memory.u64(add(node, offset)));
  } catch (error) {
    if (error instanceof FaultError)
      throw new CorruptionError("list", `the link at ${hex16(add(node, offset))} cannot be read: ${reasonOf(error)}`, node);
    throw error;
  }
}

/** Length of the loop and where it starts: the second half of Brent's algorithm. */
function loopText(kernel: Kernel, start: VirtualAddress, offset: number, length: number): string {
  let ahead = start;
  for (let i = 0; i < length; i++) ahead = linkOf(kernel, ahead, offset);
  let behind = start;
  for (let i = 0; i < MAX_NODES && ahead !== behind; i++) {
    ahead = linkOf(kernel, ahead, offset);
    behind = linkOf(kernel, behind, offset);
  }
  return `the list runs in a loop of ${length} entries that starts at ${hex16(behind)}`;
}

function* withStructures(
  session: Session,
  addresses: () => Iterable<VirtualAddress>,
  structs: readonly StructName[],
  back: number,
): Generator<ListEntry> {
  const reader = valueReader(session);
  for (const address of addresses()) {
    if (structs.length === 0) yield { address };
    else {
      yield { address, structures: readStructures(reader, structs, add(address, -back)) };
    }
  }
}
