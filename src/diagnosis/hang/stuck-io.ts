/**
 * Requests that a driver was given and has not ended: the oldest of the disk that a hanging task waits for, how old it is, what it is, and
 * the driver's function that took it.
 *
 *   gendisk ─► request_queue.mq_ops ─► queue_rq = widget_queue_rq [widget]
 *                   └─► tags ─► request { state in flight, io_start_time_ns, __sector, bio ─► the page or task that waits }
 *
 * A request is old, not slow, when it has been with the driver for most of the time that a task hangs; where nobody hangs, when it is older
 * than the kernel lets tasks hang and than twice its own timeout.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type RequestIssuer, requestIssuers } from "../../linux/block-issuer.ts";
import { type BlockQueue, type BlockRequest, readBlockQueue } from "../../linux/block-request.ts";
import { type Disk, diskTable } from "../../linux/disk.ts";
import { lowerDevices } from "../../linux/disk-stack.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { Check, Evidence, Participant } from "../verdict.ts";
import { stackOf, waitersBehind } from "./circle-finding.ts";
import { type HungGroup, hungGroups } from "./hung.ts";
import { DEFAULT_TIMEOUT, hungTaskTimeout } from "./hung-timeout.ts";
import { diedOfFault, reportedStalls } from "./reported.ts";
import { sleepOf } from "./sleep.ts";
import { Standstill } from "./standstill.ts";
import { ageText, someOf, waiter, who } from "./who.ts";

const MAX_DISKS = 512;
/** A flush or a burst of writes begins a moment before the task that waits for it last ran. */
const SHARE_OF_WAIT = 0.5;

interface Stuck {
  readonly disk: Disk;
  readonly queue: BlockQueue;
  readonly request: BlockRequest;
  readonly issuers: readonly RequestIssuer[];
  /** How many of the disk are as old. */
  readonly others: number;
}

/** Requests of all disks, the oldest of each disk first; once per dump. */
function busyDisks(kernel: Kernel): readonly { readonly disk: Disk; readonly queue: BlockQueue }[] {
  return kernel.memo(busyDisks, () => {
    const disks = guarded(() => diskTable(kernel).disks) ?? [];
    return disks.slice(0, MAX_DISKS).flatMap((disk) => {
      const queue = disk.queue === 0n ? undefined : guarded(() => readBlockQueue(kernel, disk.queue));
      return queue === undefined || queue.requests.length === 0 ? [] : [{ disk, queue }];
    });
  });
}

function isWithDriver({ state, tag }: BlockRequest): boolean {
  return state === "in flight" || (state === "unknown" && tag !== undefined);
}

/** The oldest request of each disk that is as old as asked. */
function oldRequests(still: Standstill, seconds: (request: BlockRequest) => number): readonly Stuck[] {
  const found = busyDisks(still.kernel).flatMap(({ disk, queue }) => {
    const old = queue.requests.filter((request) => isWithDriver(request) && (request.ageSeconds ?? 0) >= seconds(request));
    const [oldest] = old.sort((a, b) => (b.ageSeconds ?? 0) - (a.ageSeconds ?? 0));
    return oldest === undefined ? [] : [{ disk, queue, request: oldest, all: old }];
  });
  if (found.length === 0) return [];
  const issuers =
    guarded(() =>
      requestIssuers(
        still.kernel,
        found.flatMap(({ all }) => all.slice(0, 64)),
        still.report,
        still.reader,
      ),
    ) ?? new Map<VirtualAddress, readonly RequestIssuer[]>();
  return found
    .map(({ all, ...rest }) => {
      const who = new Map(all.flatMap(({ address }) => (issuers.get(address) ?? []).map((each) => [each.task.address, each] as const)));
      return { ...rest, issuers: [...who.values()], others: all.length - 1 };
    })
    .sort((a, b) => (b.request.ageSeconds ?? 0) - (a.request.ageSeconds ?? 0));
}

function findings(context: DiagnosisContext): readonly Finding[] {
  const still = guarded(() => Standstill.of(context.kernel));
  if (still === undefined || busyDisks(still.kernel).length === 0) return [];
  const groups = hungGroups(still, reportedStalls(context)).filter(({ root }) => {
    const { kind } = sleepOf(root, still.stack(root));
    return kind === "disk" || kind === "completion" || kind === "event" || kind === "timer";
  });
  const [group] = groups;
  if (group === undefined) {
    const limit = Math.max(DEFAULT_TIMEOUT, hungTaskTimeout(still.kernel) ?? 0);
    const [stuck] = oldRequests(still, ({ timeoutSeconds }) => Math.max(limit, 2 * (timeoutSeconds ?? 0)));
    return stuck === undefined ? [] : [finding(still, stuck, [], undefined)];
  }
  const waited = Math.max(...groups.flatMap(({ hung }) => hung.map(({ seconds }) => seconds ?? 0)));
  const candidates = oldRequests(still, () => waited * SHARE_OF_WAIT);
  const roots = new Set<bigint>(groups.flatMap(({ root, hung }) => [root.address, ...hung.map(({ task }) => task.address)]));
  const stuck =
    candidates.find(({ issuers }) => issuers.some(({ task }) => roots.has(task.address))) ??
    candidates.find(() => groups.some(({ root }) => sleepOf(root, still.stack(root)).kind === "disk"));
  return stuck === undefined ? [] : [finding(still, stuck, groups, group)];
}

function finding(still: Standstill, stuck: Stuck, groups: readonly HungGroup[], group: HungGroup | undefined): Finding {
  const { kernel } = still;
  const { disk, queue, request, issuers, others } = stuck;
  const driver = driverOf(kernel, disk, queue);
  const hung = groups.flatMap((each) => each.hung);
  const named = groups.filter(({ root }) => issuers.some(({ task }) => task.address === root.address));
  const root = (named[0] ?? group)?.root;
  const shown = root === undefined ? undefined : stackOf(still, root.address);
  const age = request.ageSeconds ?? 0;
  const what = `${request.operation.toLowerCase()} of ${request.bytes} bytes at sector ${request.sector}`;
  const driverText = driver === undefined ? "its driver" : `${driver.function}${driver.module === undefined ? "" : ` [${driver.module}]`}`;
  const late = request.timeoutInSeconds !== undefined && request.timeoutInSeconds < 0;
  const place = driver ?? shown?.place;
  return {
    class: "stuck-io",
    title: `${disk.name}: a ${what} was given to ${driverText} ${ageText(age)} ago and has not ended${hung.length === 0 ? "" : `; ${hung.length} ${hung.length === 1 ? "task hangs" : "tasks hang"} on it`}`,
    depth: "cause",
    checks: checks(stuck, groups, named.length > 0),
    object: {
      type: "struct request",
      member: "state",
      address: request.address,
      state: `${request.state}${request.tag === undefined ? "" : `, tag ${request.tag}`}`,
    },
    ...(place === undefined ? {} : { place }),
    ...(shown === undefined ? {} : { frames: shown.frames }),
    story: [
      `Disk ${disk.name} has ${queue.requests.length} ${queue.requests.length === 1 ? "request" : "requests"} under way; the oldest, a ${what}, has been with the driver for ${ageText(age)}${others === 0 ? "" : `, and ${others} more as long`}.`,
      `The driver took it in ${driverText} and has not ended it${late ? "; its timeout has passed, and what handles that has not helped either" : ""}.`,
      ...(issuers.length === 0 ? [] : [`It is waited for by ${someOf(issuers.map(({ task }) => who(task)))}.`]),
      ...(root === undefined || shown === undefined
        ? []
        : [`${who(root)} hangs in ${shown.text}${hung.length > 1 ? `, and ${hung.length - 1} more with it` : ""}.`]),
      ...stateLines(queue),
      ...standsOn(kernel, disk),
    ],
    evidence: evidence(kernel, stuck, driver),
    participants: participants(still, stuck, groups),
    ...(root === undefined ? {} : { subject: { pid: root.pid, comm: root.comm } }),
  };
}

function checks({ request, issuers, queue }: Stuck, groups: readonly HungGroup[], named: boolean): readonly Check[] {
  return [
    {
      what: "the request is with the driver: not in a scheduler, not completed",
      result: request.state === "in flight" ? "held" : "not possible",
    },
    {
      what: "it is older than a slow disk explains: than most of the wait, or than twice its timeout",
      result: request.ageSeconds === undefined ? "not possible" : "held",
    },
    {
      what: "a task that hangs waits for this very request",
      result: named && issuers.some(({ certainty }) => certainty !== "possible") ? "held" : "not possible",
    },
    { what: "nobody froze or stopped the queue", result: queue.frozen || queue.quiesced ? "not possible" : "held" },
    ...(groups.length === 0 ? [{ what: "the kernel reported a task that hangs on it", result: "not possible" as const }] : []),
  ];
}

/** blk_mq_ops.queue_rq of the queue, or what takes bios of a disk without requests. */
function driverOf(kernel: Kernel, disk: Disk, queue: BlockQueue): { readonly function: string; readonly module?: string } | undefined {
  return guarded(() => {
    const table = queue.bioBased ? disk.operations : kernel.types.struct("request_queue").field("mq_ops").pointer(queue.address);
    const field = queue.bioBased
      ? kernel.types.tryStruct("block_device_operations")?.tryField("submit_bio")
      : kernel.types.tryStruct("blk_mq_ops")?.tryField("queue_rq");
    const called = field === undefined || table === 0n ? 0n : field.pointer(virtual(table));
    const found = called === 0n ? undefined : kernel.symbols.byAddress(virtual(called));
    if (found === undefined || found.offset !== 0) return undefined;
    const { name, module } = found.symbol;
    return { function: name, ...(module === undefined ? {} : { module }) };
  });
}

function stateLines(queue: BlockQueue): readonly string[] {
  const refused = queue.hardwareQueues.reduce((sum, { dispatchList }) => sum + (dispatchList ?? 0), 0);
  const full = queue.hardwareQueues.some(({ tagsUsed, tagDepth }) => tagsUsed !== undefined && tagsUsed === tagDepth && tagDepth > 0);
  return [
    ...(queue.frozen ? ["The queue is frozen: new requests wait until it is thawed."] : []),
    ...(queue.quiesced ? ["The queue is quiesced: nothing is given to the driver."] : []),
    ...(refused > 0 ? [`${refused} more were refused by the driver and wait to be given again.`] : []),
    ...(full ? ["All its tags are taken: nothing else can be given to the driver."] : []),
  ];
}

function standsOn(kernel: Kernel, disk: Disk): readonly string[] {
  const lower = guarded(() => lowerDevices(kernel, disk)) ?? [];
  const names = lower.map(({ file, partition, disk: below }) => file ?? partition ?? below?.name ?? "?");
  return names.length === 0 ? [] : [`${disk.name} stands on ${someOf(names)}.`];
}

function evidence(kernel: Kernel, { disk, queue, request }: Stuck, driver: ReturnType<typeof driverOf>): Evidence[] {
  const struct = kernel.types.struct("request");
  const started = struct.firstField("io_start_time_ns", "start_time_ns");
  const since = started === undefined ? undefined : kernel.memory.tryU64(started.address(request.address));
  const ops = kernel.types.struct("request_queue").tryField("mq_ops");
  const table = ops === undefined ? 0n : (kernel.memory.tryU64(ops.address(queue.address)) ?? 0n);
  const handler = kernel.types.tryStruct("blk_mq_ops")?.tryField("queue_rq");
  const called = handler === undefined || table === 0n ? undefined : kernel.memory.tryU64(handler.address(virtual(table)));
  return [
    {
      claim: `the oldest request of ${disk.name}: ${request.operation}, sector ${request.sector}, ${request.state}`,
      command: `blk -v ${disk.name}`,
      values: [],
    },
    ...(started === undefined || since === undefined || since === 0n
      ? []
      : [
          {
            claim: `it was started ${(Number(since) / 1e9).toFixed(1)} s after boot`,
            command: `struct request.${started.path} ${request.address.toString(16)}`,
            values: [{ address: started.address(request.address), value: since }],
          },
        ]),
    ...(driver === undefined || called === undefined || handler === undefined
      ? []
      : [
          {
            claim: `the queue's driver takes requests in ${driver.function}`,
            command: `struct blk_mq_ops.queue_rq ${table.toString(16)}`,
            values: [{ address: handler.address(virtual(table)), value: called }],
          },
        ]),
  ];
}

function participants(still: Standstill, { issuers }: Stuck, groups: readonly HungGroup[]): readonly Participant[] {
  const found = new Map<VirtualAddress, Participant>();
  for (const { task } of issuers)
    found.set(task.address, { pid: task.pid, comm: task.comm, task: task.address, role: "waits for the request", central: true });
  for (const { root, hung } of groups) {
    for (const edge of waitersBehind(still, root.address))
      if (!found.has(edge.from.address)) found.set(edge.from.address, waiter(still, edge, [], false));
    for (const { task, seconds } of hung)
      found.set(task.address, {
        pid: task.pid,
        comm: task.comm,
        task: task.address,
        role: "hangs in I/O",
        ...found.get(task.address),
        ...(seconds === undefined ? {} : { blockedFor: seconds }),
      });
  }
  return [...found.values()];
}

export const stuckIo: Detector = {
  name: "stuck-io",
  classes: ["stuck-io"],
  needs: ["a request that is with a driver for most of the time that a task hangs, or for longer than the kernel lets tasks hang"],
  refutedBy: ["a request that is not with the driver", "a queue that somebody froze", "nobody who waits for it"],
  appliesTo: (context) => !diedOfFault(context),
  detect: findings,
};
