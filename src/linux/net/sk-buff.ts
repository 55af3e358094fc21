/**
 * Packets in memory: struct sk_buff (include/linux/skbuff.h).
 *
 *   sk_buff { head, data, tail, end, len, data_len, *_header }
 *
 *      head          data                tail            end
 *       ▼             ▼                   ▼               ▼
 *       ┌─────────────┬───────────────────┬───────────────┬──────────────────┐
 *       │ headers     │ linear: len −     │ tail room     │ skb_shared_info  │──► frags[]: page, offset, size
 *       │ already read│       data_len    │               │                  │──► frag_list → sk_buff → sk_buff
 *       └─────────────┴───────────────────┴───────────────┴──────────────────┘      together data_len bytes
 *
 * tail, end and the headers are offsets from head on 64-bit machines. A received packet's headers lie before `data` once they were read.
 *
 *   skb_frag_t   6.9+      struct skb_frag { netmem, len, offset }; bit 0 of netmem: device memory, no page    (21d2e6737c97)
 *                5.4–6.8   struct bio_vec { bv_page, bv_len, bv_offset }                                       (8842d285bafa)
 *                before    { page.p, page_offset, size }
 *
 * Whatever a damaged sk_buff claims, no more than MAX_PACKET bytes are read and every length is held against the buffer's bounds.
 */
import { add, distance, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError, UnsupportedError } from "../../bytes/errors.ts";
import { strip } from "../../debug-info/c-type.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { swap16 } from "./address-text.ts";

/** BIG TCP makes packets of up to 512 KiB. */
export const MAX_PACKET = 1 << 20;
/** Packets of one frag_list, and pieces of one packet. */
export const MAX_PIECES = 4096;
/** mac_header and transport_header when not set. */
const UNSET = 0xffff;

/** skb_shared_info. */
export interface SkbShared {
  readonly address: VirtualAddress;
  readonly frags: number;
  /** First sk_buff of the frag_list; 0 for none. */
  readonly fragList: VirtualAddress;
  readonly gsoSize: number;
  readonly gsoSegments: number;
  readonly gsoType: number;
  /** References to the data: the low half all, the high half those to the payload only. */
  readonly dataReferences: number;
}

export interface SkBuff {
  /** struct sk_buff. */
  readonly address: VirtualAddress;
  readonly head: VirtualAddress;
  readonly data: VirtualAddress;
  /** Behind the linear data. */
  readonly tail: VirtualAddress;
  /** Behind the buffer: where skb_shared_info lies. */
  readonly end: VirtualAddress;
  /** Bytes from data on, those in pages included. */
  readonly length: number;
  /** Of those, in frags and in the frag_list. */
  readonly dataLength: number;
  readonly truesize: number;
  /** References to the sk_buff; 0 for one that was freed. */
  readonly users: number;
  readonly cloned: boolean;
  /** EtherType: 0x800, 0x86dd …; 0 where it was never set. */
  readonly protocol: number;
  /** PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4. */
  readonly packetType: number;
  /** struct net_device in `dev`; TCP and UDP keep other things in its place while the packet is queued. */
  readonly device: VirtualAddress;
  /** Index of the device it came in by; 0 for none. */
  readonly inputDevice: number;
  /** struct sock it belongs to. */
  readonly sock: VirtualAddress;
  /** Time stamp in nanoseconds; 0 for none. Wall-clock time of received packets, CLOCK_MONOTONIC of TCP's own. */
  readonly timestamp: bigint;
  /** Where the headers begin; absent when not set. */
  readonly macHeader?: VirtualAddress;
  readonly networkHeader?: VirtualAddress;
  readonly transportHeader?: VirtualAddress;
  /** A VLAN tag that was taken out of the packet. */
  readonly vlan?: { readonly protocol: number; readonly tci: number };
  /** Absent when it cannot be read. */
  readonly shared?: SkbShared;
}

/** Members that packets are read by. */
export interface Layout {
  readonly skb: Struct;
  readonly shared: Struct;
  readonly frag: Struct;
  readonly frags: Field;
  readonly maxFrags: number;
  readonly fragPage: Field;
  readonly fragLength: Field;
  readonly fragOffset: Field;
}

/** Resolved once per dump. @throws LookupError, UnsupportedError when the types do not tell */
export function skbLayout(kernel: Kernel): Layout {
  return kernel.memo(skbLayout, () => {
    const shared = kernel.types.struct("skb_shared_info");
    const frags = shared.field("frags");
    const array = strip(frags.type);
    const frag = array.kind === "array" ? kernel.types.wrap(array.element) : undefined;
    if (frag === undefined || array.kind !== "array") throw new UnsupportedError("the fragments of a sk_buff have no known layout");
    const of = (...paths: string[]) => frag.firstField(...paths) ?? frag.field(paths[0] as string);
    return {
      skb: kernel.types.struct("sk_buff"),
      shared,
      frag,
      frags,
      maxFrags: array.length,
      fragPage: of("netmem", "bv_page", "page.p"),
      fragLength: of("len", "bv_len", "size"),
      fragOffset: of("offset", "bv_offset", "page_offset"),
    };
  });
}

/** Reads a sk_buff. @throws FaultError when it cannot be read; skb_shared_info that cannot be read is left out */
export function readSkBuff(kernel: Kernel, address: VirtualAddress): SkBuff {
  const { skb } = skbLayout(kernel);
  const number = (name: string) => skb.field(name).number(address);
  const head = skb.field("head").pointer(address);
  // sk_buff_data_t: an offset from head on 64-bit machines, a pointer on others.
  const place = (name: string) => {
    const field = skb.field(name);
    return field.size === 8 ? field.pointer(address) : add(head, field.number(address));
  };
  const header = (name: string, unset: number) => {
    const offset = skb.field(name).number(address);
    return offset === unset ? undefined : add(head, offset);
  };
  const end = place("end");
  const mac = header("mac_header", UNSET);
  // 0 is what alloc_skb leaves in network_header: no header lies at the very front of the buffer (NET_SKB_PAD).
  const network = header("network_header", 0);
  const transport = header("transport_header", UNSET);
  const tag = vlanOf(skb, address);
  const shared = readShared(kernel, end);
  return {
    address,
    head,
    data: skb.field("data").pointer(address),
    tail: place("tail"),
    end,
    length: number("len"),
    dataLength: number("data_len"),
    truesize: number("truesize"),
    users: skb.firstField("users.refs.counter", "users.counter")?.number(address) ?? 0,
    cloned: number("cloned") !== 0,
    protocol: swap16(number("protocol")),
    packetType: number("pkt_type"),
    device: skb.field("dev").pointer(address),
    inputDevice: number("skb_iif"),
    sock: skb.field("sk").pointer(address),
    timestamp: BigInt.asIntN(64, skb.field("tstamp").bigint(address)),
    ...(mac === undefined ? {} : { macHeader: mac }),
    ...(network === undefined ? {} : { networkHeader: network }),
    ...(transport === undefined ? {} : { transportHeader: transport }),
    ...(tag === undefined ? {} : { vlan: tag }),
    ...(shared === undefined ? {} : { shared }),
  };
}

/** vlan_present 5.0–6.1 (0c4b2d370514); since 6.2 a tag is there when either half is set (354259fa73e2). */
function vlanOf(skb: Struct, address: VirtualAddress): SkBuff["vlan"] {
  const protocol = skb.tryField("vlan_proto");
  const present = skb.tryField("vlan_present");
  if (protocol === undefined || (present !== undefined && present.number(address) === 0)) return undefined;
  const found = { protocol: swap16(protocol.number(address)), tci: skb.field("vlan_tci").number(address) };
  return found.protocol === 0 && found.tci === 0 ? undefined : found;
}

function readShared(kernel: Kernel, address: VirtualAddress): SkbShared | undefined {
  const { shared } = skbLayout(kernel);
  try {
    return {
      address,
      frags: shared.field("nr_frags").number(address),
      fragList: shared.field("frag_list").pointer(address),
      gsoSize: shared.field("gso_size").number(address),
      gsoSegments: shared.field("gso_segs").number(address),
      gsoType: shared.field("gso_type").number(address),
      dataReferences: shared.field("dataref.counter").number(address),
    };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** What is wrong with a sk_buff's own numbers; undefined when they agree. Nothing is read. */
export function skBuffFault(skb: SkBuff): string | undefined {
  const { head, data, tail, end, length, dataLength } = skb;
  const size = distance(end, head);
  if (size < 0 || size > MAX_PACKET) return `its buffer would have ${size} bytes`;
  if (distance(data, head) < 0 || distance(tail, data) < 0 || distance(end, tail) < 0)
    return "head, data, tail and end are not in this order";
  if (length > MAX_PACKET) return `a length of ${length} bytes`;
  if (dataLength > length) return `data_len ${dataLength} is more than len ${length}`;
  if (distance(tail, data) !== length - dataLength)
    return `tail − data is ${distance(tail, data)}, len − data_len is ${length - dataLength}`;
  return undefined;
}
