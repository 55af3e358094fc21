/**
 * Writes packet captures in the pcapng format (IETF draft-ietf-opsawg-pcapng, the format of Wireshark), little-endian, with time
 * stamps in nanoseconds (if_tsresol 9).
 *
 *   Section Header ─ Interface Description … ─ Enhanced Packet …      an interface is described before its first packet
 *
 *   every block:   type │ total length │ body, padded to 4 │ total length
 *   an option:     code │ length │ value, padded to 4       … opt_endofopt (0, 0)
 */

/** Link types (LINKTYPE_) that packets of a kernel have. */
export const LINKTYPE = { ethernet: 1, raw: 101, user0: 147, netlink: 253 } as const;

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Codes mean different things in different blocks: opt_comment; shb_os, shb_userappl; if_name, if_description, if_tsresol. */
const OPTION = { comment: 1, system: 3, application: 4, name: 2, description: 3, resolution: 9 } as const;
const utf8 = new TextEncoder();

/** The interface of a capture that a packet came by. */
export interface PcapngInterface {
  readonly name: string;
  readonly description?: string;
  readonly linkType: number;
}

/** A packet as a capture file has it. */
export interface PcapngPacket {
  readonly interface: PcapngInterface;
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint;
  readonly bytes: Uint8Array;
  /** Length on the wire; `bytes` may be less. */
  readonly originalLength: number;
  readonly comment?: string;
}

/** Blocks of a capture, one after another: made as they are pulled. @param application shown by Wireshark as what wrote the file */
export function* pcapng(packets: Iterable<PcapngPacket>, application: string, system?: string): Generator<Uint8Array, void, undefined> {
  yield block(SECTION_HEADER, [
    u32(BYTE_ORDER_MAGIC),
    u16(1, 0),
    // Section length: not known beforehand.
    u32(0xffffffff, 0xffffffff),
    options(textOption(OPTION.system, system), textOption(OPTION.application, application)),
  ]);
  const known = new Map<string, number>();
  for (const packet of packets) {
    const { name, description, linkType } = packet.interface;
    const key = `${linkType} ${name} ${description ?? ""}`;
    let index = known.get(key);
    if (index === undefined) {
      index = known.size;
      known.set(key, index);
      const all = options(textOption(OPTION.name, name), textOption(OPTION.description, description), [
        OPTION.resolution,
        Uint8Array.of(9),
      ]);
      // No snap length: packets are as long as they were found.
      yield block(INTERFACE_DESCRIPTION, [u16(linkType, 0), u32(0), all]);
    }
    const stamp = BigInt.asUintN(64, packet.timestamp);
    const { bytes, originalLength, comment } = packet;
    yield block(ENHANCED_PACKET, [
      u32(index, Number(stamp >> 32n), Number(stamp & 0xffffffffn), bytes.length, Math.max(originalLength, bytes.length)),
      padded(bytes),
      comment === undefined ? new Uint8Array(0) : options(textOption(OPTION.comment, comment)),
    ]);
  }
}

function u32(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value, true);
  return new Uint8Array(view.buffer);
}

function u16(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 2));
  for (const [i, value] of values.entries()) view.setUint16(i * 2, value, true);
  return new Uint8Array(view.buffer);
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}

type Option = readonly [code: number, value: Uint8Array];

function textOption(code: number, text: string | undefined): Option | undefined {
  return text === undefined ? undefined : [code, utf8.encode(text)];
}

/** Options with the end mark. */
function options(...list: readonly (Option | undefined)[]): Uint8Array {
  const pieces = list.flatMap((option) => {
    if (option === undefined) return [];
    const [code, value] = option;
    // The length has 16 bits.
    const short = value.subarray(0, 0xffff);
    return [u16(code, short.length), padded(short)];
  });
  return joined([...pieces, u16(0, 0)]);
}

function block(type: number, body: readonly Uint8Array[]): Uint8Array {
  const length = 12 + body.reduce((sum, piece) => sum + piece.length, 0);
  return joined([u32(type, length), ...body, u32(length)]);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
