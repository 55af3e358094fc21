/**
 * Requests of block queues (block/blk-mq.c, include/linux/blk-mq.h).
 *
 *   request_queue ─► blk_mq_hw_ctx[] ─► blk_mq_tags { bitmap_tags, rqs[tag] ─► request }         given to the driver: tag
 *                                   └─► sched_tags { …, rqs[tag] ─► request }                    in the scheduler: internal_tag, no tag yet
 *
 * Tags may be shared by queues: a request counts for the queue it names.
 */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { type HardwareQueue, hardwareContexts, hardwareQueue, listLength, taggedRequests } from "./hardware-queue.ts";
import { tickRate } from "./tick-rate.ts";
import { machineTime } from "./timekeeping.ts";

/** enum mq_rq_state (4.18+). */
export type RequestState = "idle" | "in flight" | "complete" | "unknown";
const STATES: readonly RequestState[] = ["idle", "in flight", "complete"];

/** A request on its way to a disk (struct request). */
export interface BlockRequest {
  readonly address: VirtualAddress;
  /** Tag that the driver has; undefined while it waits in the scheduler. */
  readonly tag: number | undefined;
  readonly schedulerTag: number | undefined;
  readonly hardwareQueue: number;
  /** idle: allocated and not, or no longer, with the driver. */
  readonly state: RequestState;
  /** "READ", "WRITE", "FLUSH", "DISCARD" … */
  readonly operation: string;
  /** "SYNC", "META", "FUA" … */
  readonly flags: readonly string[];
  readonly sector: number;
  readonly bytes: number;
  readonly bio: VirtualAddress;
  /** Partition that it is for, or the disk's own block_device (hd_struct before 5.11); 0 when it is not accounted. */
  readonly part: VirtualAddress;
  /** Seconds since the driver was given it, or since it was allocated; undefined when the queue keeps no times. */
  readonly ageSeconds: number | undefined;
  readonly timeoutSeconds: number | undefined;
  /** Seconds until the timeout; negative when it is past. Only for requests in flight. */
  readonly timeoutInSeconds: number | undefined;
}

/** A disk's request queue. */
export interface BlockQueue {
  readonly address: VirtualAddress;
  /** The queue has no driver queue of its own: a device that passes bios on (dm, md, zram). */
  readonly bioBased: boolean;
  /** "mq-deadline", "none". */
  readonly scheduler: string | undefined;
  readonly hardwareQueues: readonly HardwareQueue[];
  readonly requests: readonly BlockRequest[];
  readonly requeued: number | undefined;
  /** Bios wait until the queue is thawed. */
  readonly frozen: boolean;
  readonly quiesced: boolean;
  readonly notes: readonly string[];
}

interface RequestLayout {
  readonly struct: Struct;
  readonly queue: Field;
  readonly hardware: Field | undefined;
  readonly flags: Field;
  readonly tag: Field;
  readonly internalTag: Field | undefined;
  readonly length: Field;
  readonly sector: Field;
  readonly bio: Field;
  readonly part: Field | undefined;
  readonly state: Field | undefined;
  readonly start: Field | undefined;
  readonly issued: Field | undefined;
  readonly deadline: Field | undefined;
  readonly timeout: Field | undefined;
}

function requestLayout(kernel: Kernel): RequestLayout {
  return kernel.memo(requestLayout, () => {
    const struct = kernel.types.struct("request");
    return {
      struct,
      queue: struct.field("q"),
      hardware: struct.tryField("mq_hctx"),
      flags: struct.field("cmd_flags"),
      tag: struct.field("tag"),
      internalTag: struct.tryField("internal_tag"),
      length: struct.field("__data_len"),
      sector: struct.field("__sector"),
      bio: struct.field("bio"),
      part: struct.tryField("part"),
      state: struct.tryField("state"),
      start: struct.tryField("start_time_ns"),
      issued: struct.tryField("io_start_time_ns"),
      deadline: struct.firstField("deadline", "__deadline"),
      timeout: struct.tryField("timeout"),
    };
  });
}

/** A queue and its requests. What cannot be read is in `notes`. */
export function readBlockQueue(kernel: Kernel, queue: VirtualAddress): BlockQueue {
  const struct = kernel.types.struct("request_queue");
  const notes: string[] = [];
  const attempt = <T>(what: string, read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`${what}: ${error.message}`);
      return otherwise;
    }
  };
  const bioBased = attempt("its driver", () => (struct.tryField("mq_ops")?.pointer(queue) ?? 0n) === 0n, true);
  const requests = new Map<bigint, BlockRequest>();
  const hardwareQueues: HardwareQueue[] = [];
  const clock = clockOf(kernel);
  const contexts = bioBased ? [] : attempt("its hardware queues", () => hardwareContexts(kernel, struct, queue), []);
  for (const address of contexts) {
    const read = attempt(`the hardware queue at ${hex16(address)}`, () => hardwareQueue(kernel, address), undefined);
    if (read === undefined) continue;
    hardwareQueues.push(read.queue);
    for (const { tags, scheduler } of read.tags) {
      attempt(
        `the tags at ${hex16(tags)}`,
        () => {
          for (const request of taggedRequests(kernel, tags, scheduler)) {
            if (requests.has(request)) continue;
            const found = attempt(
              `the request at ${hex16(request)}`,
              () => readRequest(kernel, request, queue, read.queue.number, clock),
              undefined,
            );
            if (found !== undefined) requests.set(request, found);
          }
        },
        undefined,
      );
    }
  }
  return {
    address: queue,
    bioBased,
    scheduler: attempt("its scheduler", () => schedulerName(kernel, struct, queue), undefined),
    hardwareQueues,
    requests: [...requests.values()].sort((a, b) => (b.ageSeconds ?? 0) - (a.ageSeconds ?? 0) || a.hardwareQueue - b.hardwareQueue),
    requeued: bioBased
      ? undefined
      : attempt("its requeue list", () => listLength(kernel, struct.tryField("requeue_list")?.address(queue)), undefined),
    frozen: (struct.tryField("mq_freeze_depth")?.number(queue) ?? 0) > 0,
    quiesced: (struct.tryField("quiesce_depth")?.number(queue) ?? 0) > 0,
    notes,
  };
}

function schedulerName(kernel: Kernel, struct: Struct, queue: VirtualAddress): string | undefined {
  const elevator = struct.tryField("elevator")?.pointer(queue);
  if (elevator === undefined) return undefined;
  if (elevator === 0n) return "none";
  const type = kernel.types.tryStruct("elevator_queue")?.tryField("type")?.pointer(elevator);
  const name = kernel.types.tryStruct("elevator_type")?.tryField("elevator_name");
  if (type === undefined || name === undefined) return undefined;
  // An array until 5.19, a pointer to text where the constant is meant.
  return name.size === 8 ? kernel.memory.cString(name.pointer(type), 32) : name.string(type);
}

/** undefined for a request of another queue that shares the tags. */
function readRequest(
  kernel: Kernel,
  address: VirtualAddress,
  queue: VirtualAddress,
  hardwareQueueNumber: number,
  clock: Clock,
): BlockRequest | undefined {
  const layout = requestLayout(kernel);
  if (layout.queue.pointer(address) !== queue) return undefined;
  const flags = BigInt.asUintN(32, layout.flags.bigint(address));
  const state = STATES[layout.state?.number(address) ?? -1] ?? "unknown";
  const [tag, internal] = [layout.tag.number(address), layout.internalTag?.number(address) ?? -1];
  const hardware = layout.hardware?.pointer(address) ?? 0n;
  const started = [layout.issued?.bigint(address) ?? 0n, layout.start?.bigint(address) ?? 0n].find((time) => time > 0n);
  const timeout = layout.timeout?.number(address);
  const deadline = layout.deadline?.bigint(address) ?? 0n;
  const perSecond = clock.rate;
  const timed = state === "in flight" && deadline !== 0n && clock.jiffies !== undefined && perSecond !== undefined;
  const left = timed ? Number(BigInt.asIntN(64, deadline - (clock.jiffies ?? 0n))) / (perSecond ?? 1) : undefined;
  const timeoutSeconds = timeout === undefined || timeout === 0 || perSecond === undefined ? undefined : timeout / perSecond;
  // A queue that keeps no times still sets the deadline when it gives the request to the driver.
  const byDeadline = left === undefined || timeoutSeconds === undefined ? undefined : Math.max(0, timeoutSeconds - left);
  const byClock = started === undefined || clock.now === undefined || clock.now < started ? undefined : Number(clock.now - started) / 1e9;
  return {
    address,
    tag: tag < 0 ? undefined : tag,
    schedulerTag: internal < 0 ? undefined : internal,
    hardwareQueue:
      hardware === 0n ? hardwareQueueNumber : kernel.types.struct("blk_mq_hw_ctx").field("queue_num").number(virtual(hardware)),
    state,
    ...operationOf(kernel, flags),
    sector: layout.sector.number(address),
    bytes: layout.length.number(address),
    bio: layout.bio.pointer(address),
    part: layout.part?.pointer(address) ?? virtual(0n),
    ageSeconds: byClock ?? byDeadline,
    timeoutSeconds,
    timeoutInSeconds: left,
  };
}

/** REQ_OP_BITS. */
const OP_MASK = 0xffn;

/** The operation is the low byte of cmd_flags (4.10+: ef295ecf090d); enum req_op since 6.0, req_opf before. */
function operationOf(kernel: Kernel, flags: bigint): { readonly operation: string; readonly flags: readonly string[] } {
  const names = kernel.memo(operationOf, () => {
    const operations = new Map<bigint, string>();
    const found = kernel.types.find("enum", "req_op", { modules: false }) ?? kernel.types.find("enum", "req_opf", { modules: false });
    if (found?.kind === "enum") for (const { name, value } of found.enumerators) operations.set(value, name.replace(/^REQ_OP_/, ""));
    const bits: (readonly [bigint, string])[] = [];
    const flagBits = kernel.types.find("enum", "req_flag_bits", { modules: false });
    if (flagBits?.kind === "enum")
      for (const { name, value } of flagBits.enumerators)
        if (name.startsWith("__REQ_") && name !== "__REQ_NR_BITS" && value < 32n && !bits.some(([bit]) => bit === value))
          bits.push([value, name.slice("__REQ_".length)]);
    return { operations, bits };
  });
  return {
    operation: names.operations.get(flags & OP_MASK) ?? `operation ${flags & OP_MASK}`,
    flags: names.bits.flatMap(([bit, name]) => ((flags >> bit) & 1n ? [name] : [])),
  };
}

/** Does it change the device? A flush, too, which op_is_write() of the kernel (odd numbers) leaves out: it waits for what was written. */
export function isWrite({ operation }: BlockRequest): boolean {
  return operation !== "READ" && /^(WRITE|FLUSH|DISCARD|SECURE|ZONE|DRV_OUT|SCSI_OUT)/.test(operation);
}

interface Clock {
  readonly now: bigint | undefined;
  readonly jiffies: bigint | undefined;
  readonly rate: number | undefined;
}

function clockOf(kernel: Kernel): Clock {
  return kernel.memo(clockOf, () => {
    const symbol = kernel.tryAddress("jiffies") ?? kernel.tryAddress("jiffies_64");
    return {
      now: machineTime(kernel).monotonic,
      jiffies: symbol === undefined ? undefined : kernel.memory.tryU64(symbol),
      rate: tickRate(kernel),
    };
  });
}
