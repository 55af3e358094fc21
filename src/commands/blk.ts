/** `blk`: disks, what they stand on, their queues, and the requests in flight with who waits for them. Our own. */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError } from "../bytes/errors.ts";
import { stackReader } from "../identity/stack-reader.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type RequestIssuer, requestIssuers } from "../linux/block-issuer.ts";
import { type BlockQueue, type BlockRequest, readBlockQueue } from "../linux/block-request.ts";
import { type Disk, diskTable } from "../linux/disk.ts";
import { lowerDevices } from "../linux/disk-stack.ts";
import { lockReport } from "../linux/locking/lock-report.ts";
import { viewApi } from "./api/views.ts";
import { defineCommand, type Session } from "./command.ts";
import { durationText } from "./lock/text.ts";
import { parseNumber } from "./support/evaluate.ts";
import { nearestNames } from "./support/nearest.ts";

/** A request in a block queue, and the tasks that seem to have sent it or wait for it. */
export interface BlkRequest extends BlockRequest {
  /** Partition by name, when the request is for one. */
  readonly partition: string | null;
  readonly issuers: readonly RequestIssuer[];
}

/** What a device stands on: a partition, a disk, a backing file. */
export interface BlkLower {
  /** "vda1", "/var/disk.img". */
  readonly name: string;
  readonly lower: readonly BlkLower[];
}

/** A disk as `blk` shows it. */
export interface BlkDisk {
  readonly disk: Disk;
  readonly queue: Omit<BlockQueue, "requests"> | null;
  readonly requests: readonly BlkRequest[];
  /** What it stands on, to the bottom. */
  readonly lower: readonly BlkLower[];
}

export interface BlkResult {
  readonly disks: readonly BlkDisk[];
  readonly notes: readonly string[];
  readonly [VERBOSE]: boolean;
  /** How many disks there are. */
  readonly [ALL]: number;
}

const VERBOSE = Symbol("verbose");
const ALL = Symbol("all");
/** Stacks of devices are a few deep; a circle is damage. */
const MAX_STACKED = 16;
/** Requests of one disk that the text lists without -v. */
const MAX_SHOWN = 64;

export const blk = defineCommand<BlkResult>({
  spec: {
    name: "blk",
    summary: "block devices: requests in flight, queues, stacked devices",
    synopsis: ["[-q] [-v] [disk | gendisk | request_queue]…"],
    description: [
      "One row a disk with its scheduler, hardware queues and tags in use, then the disks it stands on (device mapper, md, the file of a loop device), then its requests: those the driver has (in flight), those that are allocated and not, or no longer, with the driver (idle), and those that wait in the scheduler (no tag). The oldest comes first.",
      "A request shows how long ago it was given to the driver (since it was allocated where the queue keeps no such time), its timeout, and which task waits for it: by its bio's private data, by the page or buffer that a task waits for, or by what tasks' stacks name.",
      "Devices that pass bios on (dm, md, zram) have no requests of their own: theirs are those of the disks below.",
    ],
    options: [
      { flag: "-q", help: "only disks that have requests" },
      { flag: "-v", help: "hardware queues and partitions too, flags of the requests, and how a task was found" },
    ],
    operands: ["text"],
    examples: [
      ["blk", "all disks, and what is in flight"],
      ["blk -q", "only those with requests"],
      ["blk -v vda", "one disk with its hardware queues"],
    ],
    differences: ["crash has no such command; dev -d counts requests."],
  },
  run(session, args) {
    const { kernel, progress } = session;
    const table = diskTable(kernel);
    const notes = [...table.notes];
    const chosen = args.operands.length === 0 ? table.disks : args.operands.map((word) => diskNamed(table.disks, word));
    const read = chosen.map((disk, done) => {
      progress?.("reading block queues:", done, chosen.length);
      const queue = queueOf(kernel, disk, notes);
      return { disk, queue };
    });
    const all = read.flatMap(({ queue }) => queue?.requests ?? []);
    const issuers = all.length === 0 ? new Map() : issuersOf(session, all, notes);
    const disks = read.flatMap(({ disk, queue }): BlkDisk[] => {
      const requests = (queue?.requests ?? []).map((request) => ({
        ...request,
        partition: disk.partitions.find(({ address }) => address === request.part)?.name ?? null,
        issuers: issuers.get(request.address) ?? [],
      }));
      if (args.has("-q") && requests.length === 0) return [];
      const { requests: _, ...rest } = queue ?? { requests: [] };
      return [
        { disk, queue: queue === undefined ? null : (rest as Omit<BlockQueue, "requests">), requests, lower: lowerOf(kernel, disk, notes) },
      ];
    });
    return { disks, notes, [VERBOSE]: args.has("-v"), [ALL]: table.disks.length };
  },
  // The library has no call for disks.
  api: viewApi("return { disks: kernel.disks() };", ["-v"]),
  *text(result) {
    const { disks, notes } = result;
    const verbose = result[VERBOSE];
    if (disks.length === 0) yield result[ALL] === 0 ? "no disks were found" : "no disk has requests";
    else yield "DISK         GENDISK           REQUEST_QUEUE     SCHEDULER       HW   TAGS      REQUESTS";
    for (const each of disks) yield* diskText(each, verbose);
    for (const note of notes) yield `(${note})`;
  },
});

function diskNamed(disks: readonly Disk[], word: string): Disk {
  const named = disks.find(({ name }) => name === word);
  const address = named === undefined ? parseNumber(word, 16) : undefined;
  const found = named ?? disks.find((disk) => address !== undefined && (disk.address === address || disk.queue === address));
  if (found !== undefined) return found;
  throw new LookupError(
    `no disk is called "${word}", and none has its gendisk or queue there`,
    nearestNames(
      word,
      disks.map(({ name }) => name),
    ),
  );
}

function queueOf(kernel: Kernel, disk: Disk, notes: string[]): BlockQueue | undefined {
  if (disk.queue === 0n) return undefined;
  const queue = readBlockQueue(kernel, disk.queue);
  for (const note of queue.notes) notes.push(`${disk.name}: ${note}`);
  return queue;
}

function issuersOf({ kernel, progress }: Session, requests: readonly BlockRequest[], notes: string[]) {
  try {
    const reader = stackReader(kernel);
    return requestIssuers(kernel, requests, lockReport(kernel, reader, progress), reader);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`who waits for the requests is not known: ${error.message}`);
    return new Map<VirtualAddress, readonly RequestIssuer[]>();
  }
}

function lowerOf(kernel: Kernel, disk: Disk, notes: string[], depth = 0): readonly BlkLower[] {
  if (depth >= MAX_STACKED) return [];
  const lower = lowerDevices(kernel, disk, notes);
  return lower.map(({ disk: below, partition, file, device }) => ({
    name: file ?? partition ?? below?.name ?? `block_device ${hex16(device ?? 0n)}`,
    lower: below === undefined || below.address === disk.address ? [] : lowerOf(kernel, below, notes, depth + 1),
  }));
}

function* diskText({ disk, queue, requests, lower }: BlkDisk, verbose: boolean): Iterable<string> {
  const hardware = queue?.hardwareQueues ?? [];
  const used = hardware.reduce((sum, { tagsUsed }) => sum + (tagsUsed ?? 0), 0);
  const depth = hardware.reduce((sum, { tagDepth }) => sum + (tagDepth ?? 0), 0);
  const tags = hardware.length === 0 ? "-" : `${used}/${depth}`;
  const scheduler = queue === null || queue.bioBased ? "(bios)" : (queue.scheduler ?? "?");
  const state = [queue?.frozen === true ? "frozen" : "", queue?.quiesced === true ? "quiesced" : ""]
    .filter((each) => each !== "")
    .join(", ");
  yield `${disk.name.padEnd(12)} ${hex16(disk.address)}  ${hex16(disk.queue)}  ${scheduler.padEnd(14)} ${String(hardware.length).padStart(3)}   ${tags.padEnd(8)} ${String(requests.length).padStart(9)}${state === "" ? "" : `   (${state})`}`;
  for (const each of lower) yield* lowerText(each, 1);
  if (verbose) {
    for (const { name, startSector, sectors, address } of disk.partitions)
      yield `  partition ${name}  sectors ${startSector} to ${startSector + sectors - 1}  ${hex16(address)}`;
    for (const each of hardware) {
      const sched = each.schedulerTagDepth === undefined ? "" : `, scheduler tags ${each.schedulerTagsUsed}/${each.schedulerTagDepth}`;
      const waiting = each.dispatchList === undefined || each.dispatchList === 0 ? "" : `, ${each.dispatchList} refused by the driver`;
      const bitmap = each.tagBitmap === undefined ? "" : `   sbitmapq ${hex16(each.tagBitmap)}`;
      yield `  hardware queue ${each.number}  ${hex16(each.address)}  tags ${each.tagsUsed ?? "?"}/${each.tagDepth ?? "?"}${sched}${waiting}${bitmap}`;
    }
    if (queue?.requeued !== undefined && queue.requeued > 0) yield `  ${queue.requeued} to be queued again`;
  }
  if (requests.length === 0) return;
  yield "  REQUEST           TAG  HW  STATE      OPERATION         SECTOR     BYTES  AGE        TIMEOUT    WAITS FOR IT";
  for (const request of requests.slice(0, verbose ? requests.length : MAX_SHOWN)) yield* requestText(request, disk, verbose);
  if (!verbose && requests.length > MAX_SHOWN) yield `  and ${requests.length - MAX_SHOWN} more (all: blk -v)`;
}

function* lowerText({ name, lower }: BlkLower, depth: number): Iterable<string> {
  yield `${"  ".repeat(depth)}on ${name}`;
  for (const each of lower) yield* lowerText(each, depth + 1);
}

function* requestText(request: BlkRequest, disk: Disk, verbose: boolean): Iterable<string> {
  const { tag, hardwareQueue, state, operation, sector, bytes, ageSeconds, timeoutSeconds, timeoutInSeconds, issuers } = request;
  const age = ageSeconds === undefined ? "?" : durationText(ageSeconds);
  const late = timeoutInSeconds !== undefined && timeoutInSeconds < 0;
  const timeout = timeoutSeconds === undefined ? "-" : `${durationText(timeoutSeconds)}${late ? " late" : ""}`;
  const who = issuers.map(({ task, certainty }) => `${task.comm} (${task.pid})${certainty === "exact" ? "" : ` ${certainty}`}`).join(", ");
  const at = request.partition === null || request.partition === disk.name ? "" : ` [${request.partition}]`;
  yield `  ${hex16(request.address)} ${(tag === undefined ? "-" : String(tag)).padStart(4)} ${String(hardwareQueue).padStart(3)}  ${state.padEnd(9)}  ${operation.padEnd(12)} ${String(sector).padStart(11)} ${String(bytes).padStart(9)}  ${age.padEnd(9)}  ${timeout.padEnd(9)}  ${who === "" ? "not known" : who}${at}`;
  if (!verbose) return;
  const flags = request.flags.length === 0 ? "" : `  ${request.flags.join("|")}`;
  yield `      bio ${hex16(request.bio)}${flags}`;
  for (const { task, evidence } of issuers) yield `      ${task.comm} (${task.pid}): ${evidence}`;
}
