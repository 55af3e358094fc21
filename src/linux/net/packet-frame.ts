/**
 * What a sk_buff holds as a packet of a capture: from which byte on, and what kind of frame that is.
 *
 *   received     data has moved behind the headers that were read; they still lie in the buffer, from mac_header on
 *   to be sent   data is at the front: the link layer's header below the IP layer, the IP header above it
 *
 * A header is believed when its bytes agree with what the sk_buff says: the EtherType with `protocol`, the IP version with both.
 */
import { add, distance, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { LINKTYPE } from "./pcapng.ts";
import { MAX_PACKET, readSkBuff, type SkBuff } from "./sk-buff.ts";
import { skBuffBytes } from "./sk-buff-bytes.ts";

const ETHERNET_HEADER = 14;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** 802.1Q and 802.1ad tags stand before the EtherType. */
const TAGS = [0x8100, 0x88a8];

export interface Framed {
  readonly skb: SkBuff;
  readonly bytes: Uint8Array;
  readonly linkType: number;
  /** Why bytes are missing. */
  readonly missing?: string;
}

/** @throws FaultError, CorruptionError when the sk_buff or its linear part cannot be read or makes no sense */
export function framedPacket(kernel: Kernel, address: VirtualAddress): Framed {
  const skb = readSkBuff(kernel, address);
  const { from, linkType } = frontOf(kernel, skb);
  return { skb, linkType, ...skBuffBytes(kernel, skb, from) };
}

function frontOf(kernel: Kernel, skb: SkBuff): { readonly from: VirtualAddress; readonly linkType: number } {
  for (const at of [skb.macHeader, skb.data])
    if (at !== undefined && isEthernet(kernel, skb, at)) return { from: at, linkType: LINKTYPE.ethernet };
  for (const at of [skb.networkHeader, skb.data])
    if (at !== undefined && isInternet(kernel, skb, at)) return { from: at, linkType: LINKTYPE.raw };
  return { from: skb.data, linkType: LINKTYPE.user0 };
}

function within(skb: SkBuff, at: VirtualAddress, length: number): boolean {
  return distance(at, skb.head) >= 0 && distance(skb.tail, at) >= length && distance(at, skb.head) < MAX_PACKET;
}

/** The network's header follows in 14 bytes or behind tags, and the EtherType is that of the sk_buff. */
function isEthernet(kernel: Kernel, skb: SkBuff, at: VirtualAddress): boolean {
  if (skb.protocol === 0 || !within(skb, at, ETHERNET_HEADER)) return false;
  const bytes = kernel.memory.tryBytes(add(at, 12), 2);
  if (bytes === undefined) return false;
  const type = ((bytes[0] as number) << 8) | (bytes[1] as number);
  const next = skb.networkHeader === undefined ? ETHERNET_HEADER : distance(skb.networkHeader, at);
  return TAGS.includes(type)
    ? next >= ETHERNET_HEADER + 4 || at === skb.data
    : type === skb.protocol && (next === ETHERNET_HEADER || at === skb.data);
}

function isInternet(kernel: Kernel, skb: SkBuff, at: VirtualAddress): boolean {
  const version = skb.protocol === IPV4 ? 4 : skb.protocol === IPV6 ? 6 : undefined;
  if (version === undefined || !within(skb, at, version === 4 ? 20 : 40)) return false;
  const first = kernel.memory.tryBytes(at, 1);
  return first !== undefined && (first[0] as number) >> 4 === version;
}
