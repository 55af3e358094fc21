/**
 * One frame of a ring of AF_PACKET: tpacket_hdr, tpacket2_hdr, tpacket3_hdr (include/uapi/linux/if_packet.h) and the sockaddr_ll behind it.
 *
 *   │ header, 32 or 48 bytes │ sockaddr_ll │ … │ link layer's header at tp_mac │ network's at tp_net … packet │
 *
 * The process can write all of it: every offset and length is held against the frame.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";

/** sizeof(struct tpacket_hdr), tpacket2_hdr, tpacket3_hdr, multiples of TPACKET_ALIGNMENT; struct sockaddr_ll follows. */
export const HEADER_BYTES: Readonly<Record<1 | 2 | 3, number>> = { 1: 32, 2: 32, 3: 48 };
/** sizeof(struct sockaddr_ll). */
export const ADDRESS_BYTES = 20;
const RECEIVE_STATUS: readonly (readonly [bit: number, name: string])[] = [
  [1 << 0, "USER"],
  [1 << 1, "COPY"],
  [1 << 2, "LOSING"],
  [1 << 3, "CSUMNOTREADY"],
  [1 << 4, "VLAN_VALID"],
  [1 << 5, "BLK_TMO"],
  [1 << 6, "VLAN_TPID_VALID"],
  [1 << 7, "CSUM_VALID"],
  [1 << 8, "GSO_TCP"],
  [1 << 29, "TS_SOFTWARE"],
  [1 << 30, "TS_SYS_HARDWARE"],
  [2 ** 31, "TS_RAW_HARDWARE"],
];
const SEND_STATUS: readonly (readonly [bit: number, name: string])[] = [
  [1 << 0, "SEND_REQUEST"],
  [1 << 1, "SENDING"],
  [1 << 2, "WRONG_FORMAT"],
];

/** Which of the layouts a frame has. */
export interface FrameFormat {
  readonly kind: "rx" | "tx";
  readonly version: 1 | 2 | 3;
}

/** Time since 1970. */
export interface PacketTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** One packet of a ring. */
export interface PacketFrame {
  /** Number in the ring (V1, V2) or in its block (V3). */
  readonly index: number;
  readonly address: VirtualAddress;
  readonly owner: "kernel" | "user";
  readonly status: number;
  readonly statusNames: readonly string[];
  /** Length of the packet, and how much of it is here. */
  readonly length: number;
  readonly captured: number;
  /** Offsets in the frame of the link layer's header and of the network's. */
  readonly mac: number;
  readonly net: number;
  /** Where the captured bytes begin. */
  readonly data: VirtualAddress;
  /** When it was captured; absent in a frame to be sent. */
  readonly timestamp?: PacketTime;
  readonly vlan?: { readonly protocol: number; readonly tci: number };
  /** Of struct sockaddr_ll: index and ARPHRD_ type of the device, EtherType, PACKET_ type. Absent in frames to be sent. */
  readonly from?: { readonly device: number; readonly hardwareType: number; readonly protocol: number; readonly packetType: number };
}

/**
 * One frame; undefined when it holds no packet; a text when it makes no sense.
 * @param room bytes up to the end of the frame or block
 * @param blockStatus V3: the block's status, which tells the owner
 */
export function readFrame(
  { kind, version }: FrameFormat,
  view: DataView,
  address: VirtualAddress,
  index: number,
  room: number,
  blockStatus?: number,
): PacketFrame | string | undefined {
  const fields = frameFields(view, version);
  const { status, length, mac, net } = fields;
  if (kind === "tx") {
    if (status === 0 || length === 0) return undefined;
    // Where sockaddr_ll lies in a received frame; PACKET_TX_HAS_OFF, which nearly nobody uses, lets the process choose another place.
    const data = HEADER_BYTES[version];
    if (data + length > room) return `frame ${index}: a packet of ${length} bytes in a frame of ${room}`;
    const owner = (status & 3) !== 0 ? "kernel" : "user";
    return {
      index,
      address,
      owner,
      status,
      statusNames: statusNames(kind, status),
      length,
      captured: length,
      mac: data,
      net: data,
      data: add(address, data),
    };
  }
  if (length === 0 && mac === 0) return undefined;
  const captured = fields.captured;
  if (mac < HEADER_BYTES[version] || mac + captured > room || captured > length)
    return `frame ${index}: ${captured} of ${length} bytes from byte ${mac} on in ${room}`;
  const from = HEADER_BYTES[version];
  return {
    index,
    address,
    owner: ((blockStatus ?? status) & 1) !== 0 ? "user" : "kernel",
    status,
    statusNames: statusNames(kind, status),
    length,
    captured,
    mac,
    net,
    data: add(address, mac),
    timestamp: fields.timestamp,
    ...((status & 0x10) === 0 ? {} : { vlan: { protocol: (status & 0x40) === 0 ? 0x8100 : fields.vlanProtocol, tci: fields.vlanTci } }),
    from: {
      device: view.getInt32(from + 4, true),
      hardwareType: view.getUint16(from + 8, true),
      protocol: view.getUint16(from + 2, false),
      packetType: view.getUint8(from + 10),
    },
  };
}

interface FrameFields {
  readonly status: number;
  readonly length: number;
  readonly captured: number;
  readonly mac: number;
  readonly net: number;
  readonly timestamp: PacketTime;
  readonly vlanTci: number;
  readonly vlanProtocol: number;
}

function frameFields(view: DataView, version: 1 | 2 | 3): FrameFields {
  const u16 = (at: number) => view.getUint16(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  const time = (seconds: number, nanoseconds: number): PacketTime => ({ seconds, nanoseconds });
  if (version === 1) {
    const timestamp = time(u32(20), u32(24) * 1000);
    return { status: u32(0), length: u32(8), captured: u32(12), mac: u16(16), net: u16(18), timestamp, vlanTci: 0, vlanProtocol: 0 };
  }
  if (version === 2) {
    const timestamp = time(u32(16), u32(20));
    return {
      status: u32(0),
      length: u32(4),
      captured: u32(8),
      mac: u16(12),
      net: u16(14),
      timestamp,
      vlanTci: u16(24),
      vlanProtocol: u16(26),
    };
  }
  const timestamp = time(u32(4), u32(8));
  return {
    status: u32(20),
    length: u32(16),
    captured: u32(12),
    mac: u16(24),
    net: u16(26),
    timestamp,
    vlanTci: u32(32) & 0xffff,
    vlanProtocol: u16(36),
  };
}

/** Names of the bits of a status word. */
export function statusNames(kind: FrameFormat["kind"], status: number): readonly string[] {
  if (status === 0) return [kind === "rx" ? "KERNEL" : "AVAILABLE"];
  return (kind === "rx" ? RECEIVE_STATUS : SEND_STATUS).filter(([bit]) => Math.floor(status / bit) % 2 === 1).map(([, name]) => name);
}
