/** `sbitmapq`: a struct sbitmap_queue and what its used bits stand for. Layout: crash's. */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { readSbitmapQueue, type SbitmapQueue, sbitmapCounts, usedBits } from "../linux/bitmap.ts";
import { cpuMasks } from "../linux/cpu.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { parseAddress } from "./support/numbers.ts";
import { chosenRadix } from "./support/radix.ts";
import { resolveStruct, type StructName } from "./support/struct-name.ts";
import { type ObjectValue, objectLines, readObject } from "./support/struct-object.ts";
import { valueReader } from "./support/value-reader.ts";

/** What a used bit stands for. */
export interface SbitmapEntry extends Partial<ObjectValue> {
  readonly bit: number;
  /** The structure: in the array, or with -p what the array's pointer names. 0 for an empty slot. */
  readonly address: bigint;
  readonly problem?: string;
}

export interface SbitmapqResult {
  readonly address: VirtualAddress;
  readonly depth: number;
  readonly busy: number;
  readonly cleared: number;
  readonly bitsPerWord: number;
  readonly mapCount: number;
  readonly hints: readonly number[];
  readonly wakeBatch: number;
  readonly wakeIndex: number;
  readonly activeWaits: number | null;
  readonly minShallowDepth: number | null;
  readonly roundRobin: boolean | null;
  readonly waitStates: SbitmapQueue["waitStates"];
  /** Numbers of the bits in use. */
  readonly used: readonly number[];
  /** -s: what they stand for, read as they are walked. */
  readonly entries?: Iterable<SbitmapEntry>;
  readonly [SHOWN]: Shown;
}

const SHOWN = Symbol("shown");

interface Shown {
  readonly queue: SbitmapQueue;
  readonly struct: StructName | undefined;
  readonly verbose: boolean;
  readonly radix: 10 | 16 | undefined;
}

const SYNOPSIS = "[-s struct[.member[,member]] -a address [-p] [-v]] [-x | -d] address";

export const sbitmapq = defineCommand<SbitmapqResult>({
  spec: {
    name: "sbitmapq",
    summary: "contents of a struct sbitmap_queue",
    synopsis: [SYNOPSIS],
    description: [
      "Shows a scalable bitmap with its queue, the allocator of block tags and of iSCSI commands: its numbers, who waits, and the bits in use (set, and not freed since), 16 bytes a line in the order of memory.",
      "With -s and -a each used bit is the index of a structure in an array: its address is shown, and with -v its contents or the members named.",
    ],
    options: [
      {
        flag: "-s",
        argument: "struct",
        help: "the structures that the bits stand for, or members of them (struct.member,member); wants -a",
      },
      { flag: "-a", argument: "address", help: "where their array lies" },
      { flag: "-p", help: "the array holds pointers to them" },
      { flag: "-v", help: "show the structures; wants -s" },
      { flag: "-x", help: "numbers in hexadecimal" },
      { flag: "-d", help: "numbers in decimal" },
    ],
    operands: ["number"],
    examples: [
      ["sbitmapq ffff888003a4c010", "a queue's tags"],
      ["sbitmapq -s request -a ffff888003a4d000 -p -v ffff888003a4c010", "the requests that have a tag"],
    ],
    differences: [
      "Kernels since 6.1 are shown whole: crash stops at the wait states, whose counter is gone.",
      "-p follows the pointers of the array; crash shows the place of the pointer and reads it as if the structure lay there.",
      "Members that are named are shown with -v.",
    ],
  },
  run: runSbitmapq,
  // The library has no call for bitmaps.
  *text(result, { radix }) {
    const { queue, struct, verbose, radix: chosen } = result[SHOWN];
    if (result.entries === undefined) {
      yield* queueText(result, queue);
      return;
    }
    for (const entry of result.entries) {
      const at = `0x${entry.address.toString(16)}`;
      if (entry.problem !== undefined) yield `${entry.bit}: ${entry.address === 0n ? "(no pointer)" : at}  (${entry.problem})`;
      else if (!verbose) yield `${entry.bit}: ${at}`;
      else {
        yield `${entry.bit} (${at}):`;
        if (struct !== undefined) yield* objectLines(struct, entry as ObjectValue, chosen ?? radix);
      }
    }
  },
});

function runSbitmapq(session: Session, args: ParsedArguments): SbitmapqResult {
  const { kernel } = session;
  const [text, ...more] = args.operands;
  if (text === undefined || more.length > 0) throw new UsageError(`usage: sbitmapq ${SYNOPSIS}`);
  const [named, array] = [args.value("-s"), args.value("-a")];
  if (named !== undefined && array === undefined) throw new UsageError("-s option requires -a option");
  if (array !== undefined && named === undefined) throw new UsageError("-a option requires -s option");
  if (args.has("-p") && array === undefined) throw new UsageError("-p option requires -a option");
  if (args.has("-v") && named === undefined) throw new UsageError("-v option requires -s option");
  const address = parseAddress(kernel, text);
  const queue = readSbitmapQueue(kernel, address);
  const { set, cleared } = sbitmapCounts(queue);
  const struct = named === undefined ? undefined : resolveStruct(kernel, named);
  const used = [...usedBits(queue)];
  const base = array === undefined ? undefined : parseAddress(kernel, array);
  const entries = struct === undefined || base === undefined ? undefined : lazy(() => structures(session, args, struct, base, used));
  return {
    address,
    depth: queue.depth,
    busy: set - cleared,
    cleared,
    bitsPerWord: 2 ** queue.shift,
    mapCount: queue.mapCount,
    hints: hints(kernel, queue),
    wakeBatch: queue.wakeBatch,
    wakeIndex: queue.wakeIndex,
    activeWaits: queue.activeWaits ?? null,
    minShallowDepth: queue.minShallowDepth ?? null,
    roundRobin: queue.roundRobin ?? null,
    waitStates: queue.waitStates,
    used,
    ...(entries === undefined ? {} : { entries }),
    [SHOWN]: { queue, struct, verbose: args.has("-v"), radix: chosenRadix(args) },
  };
}

/** Where each CPU looks first; those of CPUs that cannot be read are left out. */
function hints(kernel: Kernel, { hints: pointer }: SbitmapQueue): readonly number[] {
  if (pointer === undefined || pointer === 0n) return [];
  return cpuMasks(kernel).possible.flatMap((cpu) => {
    if (kernel.perCpuOffsets[cpu] === undefined) return [];
    return kernel.memory.tryU32(kernel.perCpuAddress(pointer, cpu)) ?? [];
  });
}

function* structures(
  session: Session,
  args: ParsedArguments,
  struct: StructName,
  base: VirtualAddress,
  used: readonly number[],
): Generator<SbitmapEntry> {
  const { kernel } = session;
  const reader = valueReader(session);
  for (const [done, bit] of used.entries()) {
    session.progress?.("reading structures:", done, used.length);
    let address = args.has("-p") ? add(base, bit * 8) : add(base, bit * struct.type.size);
    try {
      if (args.has("-p")) address = virtual(kernel.memory.u64(address));
      if (address === 0n) yield { bit, address, problem: "the array has none here" };
      else if (args.has("-v")) yield { bit, ...readObject(reader, struct, address) };
      else yield { bit, address };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      yield { bit, address, problem: error instanceof FaultError ? `unreadable: ${error.reason}` : error.message };
    }
  }
}

function* queueText(result: SbitmapqResult, queue: SbitmapQueue): Iterable<string> {
  yield `depth = ${result.depth}`;
  yield `busy = ${result.busy}`;
  yield `cleared = ${result.cleared}`;
  yield `bits_per_word = ${result.bitsPerWord}`;
  yield `map_nr = ${result.mapCount}`;
  yield `alloc_hint = {${result.hints.join(", ")}}`;
  yield `wake_batch = ${result.wakeBatch}`;
  yield `wake_index = ${result.wakeIndex}`;
  if (result.activeWaits !== null) yield `ws_active = ${result.activeWaits}`;
  yield "ws = {";
  for (const { count, active } of result.waitStates)
    yield `\t{ ${count === undefined ? "" : `.wait_cnt = ${count}, `}.wait = ${active ? "active" : "inactive"} },`;
  yield "}";
  if (result.roundRobin !== null) yield `round_robin = ${result.roundRobin ? 1 : 0}`;
  if (result.minShallowDepth !== null) yield `min_shallow_depth = ${result.minShallowDepth}`;
  yield "";
  yield* bitRows(queue);
}

/** The used bits as bytes, those of one word behind those of the word before. */
function* bitRows({ words, shift }: SbitmapQueue): Iterable<string> {
  const bits: boolean[] = [];
  for (const { word, cleared, depth } of words) {
    const used = word & ~cleared;
    for (let bit = 0; bit < Math.min(depth, 2 ** shift); bit++) bits.push(((used >> BigInt(bit)) & 1n) !== 0n);
  }
  const bytes: string[] = [];
  for (let i = 0; i < bits.length; i += 8) {
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) if (bits[i + bit] === true) byte |= 1 << bit;
    bytes.push(byte.toString(16).padStart(2, "0"));
  }
  for (let i = 0; i < bytes.length; i += 16) {
    const row = bytes.slice(i, i + 16);
    const pairs = Array.from({ length: Math.ceil(row.length / 2) }, (_, pair) => row.slice(pair * 2, pair * 2 + 2).join(""));
    yield `${i.toString(16).padStart(8, "0")}: ${pairs.join(" ")}`;
  }
}
