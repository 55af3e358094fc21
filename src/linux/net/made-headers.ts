/**
 * Headers for data that TCP has not sent yet, or keeps until it is acknowledged: the kernel puts them on a copy when it sends. They are made
 * from the socket's own numbers, so that a capture shows where in the stream the data belongs.
 *
 *   IPv4 (20 bytes) or IPv6 (40) │ TCP (20) │ data
 */

export interface TcpSegment {
  readonly version: 4 | 6;
  /** In network order: 4 or 16 bytes. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 16. */
  readonly flags: number;
  readonly window: number;
  readonly data: Uint8Array;
}

/** IPPROTO_TCP. */
const TCP = 6;
const TCP_HEADER = 20;

/** The packet as it would go out; data beyond what a length field holds makes that field 0, as captures of segmentation offload have it. */
export function tcpPacket(segment: TcpSegment): Uint8Array {
  const ip = segment.version === 4 ? 20 : 40;
  const packet = new Uint8Array(ip + TCP_HEADER + segment.data.length);
  const view = new DataView(packet.buffer);
  const payload = TCP_HEADER + segment.data.length;
  if (segment.version === 4) {
    const length = ip + payload;
    packet[0] = 0x45;
    view.setUint16(2, length > 0xffff ? 0 : length);
    packet[8] = 64;
    packet[9] = TCP;
    packet.set(segment.source, 12);
    packet.set(segment.destination, 16);
    view.setUint16(10, checksum(packet.subarray(0, ip)));
  } else {
    packet[0] = 0x60;
    view.setUint16(4, payload > 0xffff ? 0 : payload);
    packet[6] = TCP;
    packet[7] = 64;
    packet.set(segment.source, 8);
    packet.set(segment.destination, 24);
  }
  view.setUint16(ip, segment.sourcePort);
  view.setUint16(ip + 2, segment.destinationPort);
  view.setUint32(ip + 4, segment.sequence >>> 0);
  view.setUint32(ip + 8, segment.acknowledgement >>> 0);
  packet[ip + 12] = (TCP_HEADER / 4) << 4;
  packet[ip + 13] = segment.flags & 0xff;
  view.setUint16(ip + 14, Math.min(segment.window, 0xffff));
  packet.set(segment.data, ip + TCP_HEADER);
  const pseudo = segment.source.length + segment.destination.length;
  const summed = new Uint8Array(pseudo + 8 + payload);
  summed.set(segment.source);
  summed.set(segment.destination, segment.source.length);
  new DataView(summed.buffer).setUint32(pseudo, payload);
  summed[pseudo + 7] = TCP;
  summed.set(packet.subarray(ip), pseudo + 8);
  view.setUint16(ip + 16, checksum(summed));
  return packet;
}

/** RFC 1071: the complement of the sum of 16-bit words in one's complement. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}
