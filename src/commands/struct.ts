/** `struct`, `union` and `*`: the definition of a structure, or structures in memory. */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FaultError, UsageError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import { addressCode } from "./api/memory.ts";
import { definitionApi, structApi } from "./api/values.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type Command, type CommandSpec, defineCommand, type Session } from "./command.ts";
import { type AddressTarget, addressTargets } from "./support/address-operand.ts";
import { lazy } from "./support/lazy.ts";
import { layOutRow, type MemoryGap, type MemoryRow, memoryRows } from "./support/memory-rows.ts";
import { parseCount } from "./support/numbers.ts";
import { chosenRadix } from "./support/radix.ts";
import type { ValueReader } from "./support/read-value.ts";
import { contextUserSpace, explainFault, fileSpace } from "./support/spaces.ts";
import { type StructDefinition, structDefinition } from "./support/struct-definition.ts";
import { parseOffset, resolveStruct, type StructName } from "./support/struct-name.ts";
import { type ObjectValue, objectLines, readObject } from "./support/struct-object.ts";
import { valueReader } from "./support/value-reader.ts";

/** An object, or what was asked to be shown of it. */
export interface StructObject extends Partial<ObjectValue> {
  readonly address: bigint;
  /** Set when the operand named CPUs. */
  readonly cpu?: number;
  /** -r: the raw words. */
  readonly raw?: readonly (MemoryRow | MemoryGap)[];
  /** -o with an address: the members' addresses. */
  readonly definition?: StructDefinition;
}

export interface StructResult {
  readonly kind: "struct" | "union";
  readonly name: string;
  readonly size: number;
  /** Without an address: the definition. */
  readonly definition?: StructDefinition;
  /** With one: the objects, read as they are walked. */
  readonly objects?: Iterable<StructObject>;
  /** Radix given with -x or -d. */
  readonly radix?: 10 | 16;
}

/** More structures than anyone reads; each is read only when it is printed. */
const MAX_COUNT = 1 << 24;

const OPTIONS: CommandSpec["options"] = [
  { flag: "-o", help: "offsets of the members; with an address, the members' addresses" },
  { flag: "-l", argument: "offset", help: "the address is that of a member: bytes or structure.member to go back (container_of)" },
  { flag: "-r", help: "raw words of the structure" },
  { flag: "-f", help: "the address is an offset in the dump file (ELF dumps only)" },
  { flag: "-u", help: "the address is a user address of the context task" },
  { flag: "-x", help: "numbers in hexadecimal" },
  { flag: "-d", help: "numbers in decimal" },
  { flag: "-p", help: "members that are pointers: show their type and what they point to" },
  { flag: "-c", argument: "count", help: "number of structures in an array; negative: those that end with the one at the address" },
];

const SYNOPSIS = "name[.member[.member|[index]],member] [-o] [-l offset] [-rfuxdp] [address | symbol][:cpus] [count | -c count]";

function structCommand(name: "struct" | "union" | "*"): Command<StructResult> {
  const keyword = name === "*" ? undefined : name;
  const what = keyword ?? "struct or union";
  return defineCommand<StructResult>({
    spec: {
      name,
      summary: name === "*" ? "structure or union: short for struct and union" : `${name} definition and contents`,
      synopsis: [SYNOPSIS],
      description: [
        `Without an address: the definition of the ${what} and its SIZE; with members, their declarations and offsets. With an address: the contents, in the layout of gdb.`,
        "Members are named through embedded and anonymous structures to any depth, with array indices: task_struct.se.avg.load_avg,pid_links[1]. A typedef of a structure may stand for its tag.",
        "A per-CPU symbol or address takes a suffix with CPUs: runqueues:0, runqueues:0-2,5, runqueues:a for all, runqueues: for the CPU of the context task.",
        "What cannot be read is shown as <unreadable: reason> and the rest is printed.",
      ],
      options: OPTIONS,
      operands: ["type", "symbol", "number"],
      examples: [
        ["task_struct.pid,comm init_task", "members of an object; the word struct may be left out"],
        ["struct task_struct.se -o", "where a member lies"],
        ["struct rq.cpu,nr_running runqueues:a", "a per-CPU object on every CPU"],
        ["struct dentry -l dentry.d_lru ffff888003a4c890", "from an embedded list_head back to its structure"],
        ["struct task_struct.mm,cred -p init_task", "follow pointers one step"],
      ],
      differences: [
        "Nested members may be named without an address too (crash knows offsets of direct members only), and several at once.",
        "A negative count needs no -c, and a star no space: *list_head.",
        "Every member ends with a comma and has the same indentation; crash leaves the comma out behind a structure's last member and indents members of anonymous unions deeper.",
        "A structure that is partly unreadable is shown with the readable part; crash shows nothing.",
      ],
    },
    run: (session, args) => runStruct(session, args, keyword),
    api: (session, args) => structCode(session, args, keyword),
    text: (result, layout) => structText(result, result.radix ?? layout.radix),
  });
}

export const struct = structCommand("struct");
export const union = structCommand("union");
export const star = structCommand("*");

function runStruct(session: Session, args: ParsedArguments, keyword: "struct" | "union" | undefined): StructResult {
  const { kernel } = session;
  const [name, target, countWord, ...more] = args.operands;
  if (name === undefined) throw new UsageError(`usage: ${keyword ?? "*"} ${SYNOPSIS}`);
  if (more.length > 0) throw new UsageError(`"${more.join(" ")}" is one word too many; usage: ${keyword ?? "*"} ${SYNOPSIS}`);
  const struct = resolveStruct(kernel, name, keyword);
  const radix = chosenRadix(args);
  const shape = { offsets: args.has("-o"), radix: radix ?? session.settings.radix };
  const head = { kind: struct.type.kind, name: struct.name, size: struct.type.size, ...(radix === undefined ? {} : { radix }) };
  if (target === undefined) return { ...head, definition: structDefinition(struct, shape) };

  if (args.has("-u") && args.has("-f")) throw new UsageError("-u and -f exclude each other");
  const memory = args.has("-u") ? contextUserSpace(session) : args.has("-f") ? fileSpace(kernel) : kernel.memory;
  const back = args.value("-l");
  const offset = back === undefined ? 0 : parseOffset(kernel, back);
  const count = parseCount(args.value("-c") ?? countWord ?? "1");
  if (count === 0 || Math.abs(count) > MAX_COUNT) throw new UsageError(`${count} is no number of structures`);
  const places = objectPlaces(addressTargets(session, target), offset, struct.type.size, count);
  const show = objectShower(session, struct, memory, args, shape);
  if (places.length * Math.abs(count) === 1) {
    const only = show(places[0] as AddressTarget);
    refuseUnreadable(session, struct, only, memory);
    return { ...head, objects: [only] };
  }
  return {
    ...head,
    objects: lazy(function* () {
      for (const place of places)
        for (let i = 0; i < Math.abs(count); i++) yield show({ ...place, address: add(place.address, i * struct.type.size) });
    }),
  };
}

/** Without the words of -r, and what another memory holds. */
function structCode(session: Session, args: ParsedArguments, keyword: "struct" | "union" | undefined): string | undefined {
  const { kernel } = session;
  const [name = "", target, countWord] = args.operands;
  if (["-r", "-f", "-u", "-p"].some((flag) => args.has(flag))) return undefined;
  const struct = resolveStruct(kernel, name, keyword);
  const { kind } = struct.type;
  const head = (definition: string) =>
    `return { kind: ${definition}.kind, name: ${definition}.name, size: ${struct.type.size}, definition: ${definition} };`;
  if (target === undefined) return definitionApi(struct.isTypedef ? name : `${kind} ${name}`, args.has("-o"), head);
  if (args.has("-o")) return undefined;
  const count = parseCount(args.value("-c") ?? countWord ?? "1");
  const back = args.value("-l");
  const offset = back === undefined ? 0 : parseOffset(kernel, back);
  const before = offset + (count < 0 ? (-count - 1) * struct.type.size : 0);
  const objects = addressTargets(session, target).map(({ address, cpu }) => ({
    code: `${addressCode(kernel, target, address)}${before === 0 ? "" : ` - ${before}n`}`,
    ...(cpu === undefined ? {} : { cpu }),
  }));
  return structApi(struct, objects, count);
}

/** Where each array of structures starts: a negative count ends at the address. */
function objectPlaces(targets: readonly AddressTarget[], offset: number, size: number, count: number): readonly AddressTarget[] {
  const before = count < 0 ? (-count - 1) * size : 0;
  return targets.map((target) => ({ ...target, address: add(target.address, -offset - before) }));
}

function objectShower(
  session: Session,
  struct: StructName,
  memory: Memory,
  args: ParsedArguments,
  shape: { readonly offsets: boolean; readonly radix: 10 | 16 },
): (place: AddressTarget) => StructObject {
  const reader: ValueReader = valueReader(session, memory);
  const follow = args.has("-p");
  return ({ address, cpu }) => {
    const place = cpu === undefined ? { address } : { cpu, address };
    if (args.has("-r")) return { ...place, raw: [...memoryRows(memory, address, 64, Math.ceil(struct.type.size / 8))] };
    if (shape.offsets) return { ...place, definition: structDefinition(struct, { ...shape, address }) };
    return { ...readObject(reader, struct, address, follow), ...place };
  };
}

/** A single object of which nothing that was asked for can be read is an error, told with the reason. */
function refuseUnreadable(session: Session, struct: StructName, object: StructObject, memory: Memory): void {
  const values = object.value === undefined ? (object.members ?? []).map((member) => member.value) : [object.value];
  const shown = values.every((value) => value.kind === "unreadable") ? values[0] : undefined;
  if (shown?.kind !== "unreadable" && object.raw?.some((row) => "words" in row) !== false) return;
  try {
    memory.u8((shown?.kind === "unreadable" ? shown.address : object.address) as VirtualAddress);
  } catch (error) {
    if (error instanceof FaultError) throw explainFault(session.kernel, error);
    throw error;
  }
  if (shown?.kind === "unreadable") throw new UsageError(`${struct.name} at ${object.address.toString(16)}: ${shown.message}`);
}

function* structText(result: StructResult, radix: 10 | 16): Iterable<string> {
  if (result.definition !== undefined) {
    yield* result.definition.text;
    return;
  }
  let first = true;
  const shown = {
    type: { kind: result.kind, name: result.name, size: result.size, members: [] },
    name: result.name,
    isTypedef: false,
    members: [],
  };
  for (const object of result.objects ?? []) {
    // Objects of one array stand apart; those of different CPUs have their own heading.
    if (!first && object.cpu === undefined) yield "";
    first = false;
    if (object.cpu !== undefined) yield `[${object.cpu}]: ${object.address.toString(16)}`;
    if (object.definition !== undefined) yield* object.definition.text;
    else if (object.raw !== undefined) {
      for (const row of object.raw) yield layOutRow(row, { bits: 64, format: "hexadecimal", ascii: true });
    } else yield* objectLines(shown, object, radix);
  }
}
