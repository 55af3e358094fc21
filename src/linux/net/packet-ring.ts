/**
 * The rings of AF_PACKET sockets, TPACKET_V1 to V3 (net/packet/af_packet.c, include/uapi/linux/if_packet.h): memory that the kernel and a
 * process share, in which packets are handed over by a word of status.
 *
 *   packet_ring_buffer { pg_vec ─► pgv[pg_vec_len]: buffer, buffer … ; pg_vec_pages, frame_size, frames_per_block, head }
 *
 *   V1, V2   a block is frames of one size:      │ tpacket_hdr │ sockaddr_ll │ … packet … │      status in every frame
 *   V3       a block is packets of any size:     │ block_desc: block_status, num_pkts, seq_num │ private │ tpacket3_hdr … │ ─next_offset─►
 *
 * Who owns: TP_STATUS_KERNEL (0) the kernel, TP_STATUS_USER (1) the process; of a ring for sending, 0 is the process and SEND_REQUEST or
 * SENDING the kernel. The layouts are ABI and the same in every kernel. The process can write all of it, so nothing is believed: every
 * offset and length is held against the block.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { CorruptionError, InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import {
  ADDRESS_BYTES,
  type FrameFormat,
  HEADER_BYTES,
  type PacketFrame,
  type PacketTime,
  readFrame,
  statusNames,
} from "./tpacket-frame.ts";

/** Blocks and frames of one ring: 2^20 frames of 2 KiB are 2 GiB. */
const MAX_BLOCKS = 1 << 20;
const MAX_FRAMES = 1 << 20;
/** struct tpacket_block_desc. */
const BLOCK_HEADER = 48;

/** A block of a packet ring. */
export interface PacketBlock {
  readonly index: number;
  readonly address: VirtualAddress;
  /** V3; blocks of V1 and V2 have no status of their own. */
  readonly owner?: "kernel" | "user";
  readonly status?: number;
  readonly statusNames?: readonly string[];
  readonly sequence?: number;
  /** Bytes used. */
  readonly length?: number;
  /** What num_pkts says. */
  readonly packets?: number;
  /** When the first packet came, and when the last. */
  readonly first?: PacketTime;
  readonly last?: PacketTime;
  /** The kernel fills it now. */
  readonly active?: boolean;
  /** Frames that hold a packet. */
  readonly frames: readonly PacketFrame[];
  /** Where the block stops making sense. */
  readonly problem?: string;
}

/** struct tpacket_req or tpacket_req3 as the process asked for it. */
export interface PacketRingRequest {
  readonly blockSize: number;
  readonly blocks: number;
  readonly frameSize: number;
  readonly frames: number;
  /** V3: milliseconds after which a block is handed over though not full; bytes of the private area; feature word. */
  readonly retireTimeout?: number;
  readonly privateSize?: number;
  readonly features?: number;
}

/** A ring of an AF_PACKET socket that user space maps. */
export interface PacketRing {
  /** struct packet_ring_buffer. */
  readonly address: VirtualAddress;
  readonly kind: "rx" | "tx";
  readonly version: 1 | 2 | 3;
  readonly request: PacketRingRequest;
  /** V1, V2: the frame that comes next. */
  readonly head: number;
  readonly blocks: readonly PacketBlock[];
  readonly problem?: string;
}

/** Reads a ring with all its frames; undefined when the socket has none. @throws FaultError, CorruptionError when its own structure is damaged */
export function readPacketRing(
  kernel: Kernel,
  address: VirtualAddress,
  kind: PacketRing["kind"],
  version: PacketRing["version"],
): PacketRing | undefined {
  const struct = kernel.types.struct("packet_ring_buffer");
  const vector = struct.field("pg_vec").pointer(address);
  if (vector === 0n) return undefined;
  const number = (name: string) => struct.field(name).number(address);
  const blockSize = number("pg_vec_pages") * kernel.arch.pageSize;
  const count = number("pg_vec_len");
  if (count > MAX_BLOCKS || blockSize === 0 || blockSize > 2 ** 30)
    throw new CorruptionError("packet_ring_buffer", `${count} blocks of ${blockSize} bytes`, address);
  const request = {
    blockSize,
    blocks: count,
    frameSize: number("frame_size"),
    frames: number("frame_max") + 1,
    ...(version === 3 ? requestOfV3(kernel, address) : {}),
  };
  const layout: RingLayout = { kernel, kind, version, blockSize, frameSize: request.frameSize, perBlock: number("frames_per_block") };
  const active = version === 3 ? struct.tryField("prb_bdqc.kactive_blk_num")?.number(address) : undefined;
  const blocks: PacketBlock[] = [];
  const budget = { frames: MAX_FRAMES };
  let problem: string | undefined;
  for (let index = 0; index < count; index++) {
    const buffer = kernel.memory.tryU64(add(vector, index * 8));
    if (buffer === undefined) {
      problem ??= `the addresses of blocks from ${index} on cannot be read`;
      break;
    }
    blocks.push(readBlock(layout, virtual(buffer), index, index === active, budget));
  }
  if (budget.frames <= 0) problem ??= `more than ${MAX_FRAMES} frames: the rest is left out`;
  return { address, kind, version, request, head: number("head"), blocks, ...(problem === undefined ? {} : { problem }) };
}

function requestOfV3(kernel: Kernel, address: VirtualAddress): Pick<PacketRingRequest, "retireTimeout" | "privateSize" | "features"> {
  const struct = kernel.types.struct("packet_ring_buffer");
  const number = (name: string) => struct.tryField(`prb_bdqc.${name}`)?.number(address);
  // An hrtimer's interval in nanoseconds since 6.18, before milliseconds.
  const interval = number("interval_ktime");
  const timeout = interval === undefined ? number("retire_blk_tov") : interval / 1e6;
  return {
    ...(timeout === undefined ? {} : { retireTimeout: timeout }),
    privateSize: number("blk_sizeof_priv") ?? 0,
    features: number("feature_req_word") ?? 0,
  };
}

interface RingLayout extends FrameFormat {
  readonly kernel: Kernel;
  readonly blockSize: number;
  readonly frameSize: number;
  readonly perBlock: number;
}

function readBlock(layout: RingLayout, address: VirtualAddress, index: number, active: boolean, budget: { frames: number }): PacketBlock {
  try {
    // A ring for sending has frames of one size in V3 too.
    return layout.version === 3 && layout.kind === "rx"
      ? readBlockOfV3(layout, address, index, active, budget)
      : { index, address, ...framesOf(layout, address, index, budget) };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { index, address, frames: [], problem: error.message };
  }
}

function framesOf(
  layout: RingLayout,
  address: VirtualAddress,
  block: number,
  budget: { frames: number },
): Pick<PacketBlock, "frames" | "problem"> {
  const { kernel, perBlock, frameSize, blockSize } = layout;
  const frames: PacketFrame[] = [];
  if (perBlock * frameSize > blockSize || frameSize < HEADER_BYTES[layout.version])
    return { frames, problem: `${perBlock} frames of ${frameSize} bytes do not fit into a block of ${blockSize}` };
  let problem: string | undefined;
  for (let i = 0; i < perBlock && budget.frames > 0; i++) {
    const at = add(address, i * frameSize);
    const frame = kernel.memory.tryBytes(at, HEADER_BYTES[layout.version] + ADDRESS_BYTES);
    if (frame === undefined) {
      problem ??= `frames from ${i} on cannot be read`;
      break;
    }
    budget.frames--;
    const read = readFrame(layout, new DataView(frame.buffer), at, block * perBlock + i, frameSize);
    if (read === undefined) continue;
    if (typeof read === "string") problem ??= read;
    else frames.push(read);
  }
  return { frames, ...(problem === undefined ? {} : { problem }) };
}

function readBlockOfV3(
  layout: RingLayout,
  address: VirtualAddress,
  index: number,
  active: boolean,
  budget: { frames: number },
): PacketBlock {
  const { kernel, blockSize } = layout;
  const view = new DataView(kernel.memory.bytes(address, BLOCK_HEADER).buffer);
  const u32 = (at: number) => view.getUint32(at, true);
  const status = u32(8);
  const packets = u32(12);
  const stamp = (at: number): PacketTime => ({ seconds: u32(at), nanoseconds: u32(at + 4) });
  const frames: PacketFrame[] = [];
  let problem: string | undefined;
  let offset = u32(16);
  for (let i = 0; i < packets && budget.frames > 0; i++) {
    if (offset < BLOCK_HEADER || offset + HEADER_BYTES[3] + ADDRESS_BYTES > blockSize) {
      problem = `packet ${i} of ${packets} would begin at byte ${offset} of ${blockSize}`;
      break;
    }
    budget.frames--;
    const at = add(address, offset);
    const header = new DataView(kernel.memory.bytes(at, HEADER_BYTES[3] + ADDRESS_BYTES).buffer);
    const read = readFrame(layout, header, at, i, blockSize - offset, status);
    if (typeof read === "string") problem ??= `packet ${i}: ${read}`;
    else if (read !== undefined) frames.push(read);
    const next = header.getUint32(0, true);
    // 0 in the last packet of a block.
    if (next === 0) {
      if (i + 1 < packets) problem ??= `num_pkts is ${packets}, and the last packet is ${i}`;
      break;
    }
    offset += next;
  }
  return {
    index,
    address,
    owner: (status & 1) !== 0 ? "user" : "kernel",
    status,
    statusNames: statusNames("rx", status),
    sequence: Number(view.getBigUint64(24, true)),
    length: u32(20),
    packets,
    first: stamp(32),
    last: stamp(40),
    ...(active ? { active } : {}),
    frames,
    ...(problem === undefined ? {} : { problem }),
  };
}
