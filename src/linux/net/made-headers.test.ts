import { describe, expect, test } from "vitest";
import { checksum, tcpPacket } from "./made-headers.ts";

const segment = {
  source: Uint8Array.of(127, 0, 0, 1),
  destination: Uint8Array.of(10, 0, 0, 2),
  sourcePort: 5001,
  destinationPort: 80,
  sequence: 0xfffffff0,
  acknowledgement: 7,
  flags: 0x18,
  window: 70_000,
  data: new TextEncoder().encode("hello"),
};

test("the checksum of RFC 1071: its example, an odd length, and a packet that holds its own sums to zero", () => {
  expect(checksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(~0xddf2 & 0xffff);
  expect(checksum(Uint8Array.of(0x12))).toBe(~0x1200 & 0xffff);
});

describe("headers for data that TCP has not sent", () => {
  test("IPv4", () => {
    const packet = tcpPacket({ version: 4, ...segment });
    const view = new DataView(packet.buffer);
    expect(packet.length).toBe(45);
    expect([packet[0], view.getUint16(2), packet[9]]).toEqual([0x45, 45, 6]);
    expect(checksum(packet.subarray(0, 20))).toBe(0);
    expect([view.getUint16(20), view.getUint16(22), view.getUint32(24), view.getUint32(28)]).toEqual([5001, 80, 0xfffffff0, 7]);
    expect([packet[32], packet[33], view.getUint16(34)]).toEqual([0x50, 0x18, 0xffff]);
    const pseudo = Uint8Array.of(127, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0, 25, ...packet.subarray(20));
    expect(checksum(pseudo)).toBe(0);
    expect(new TextDecoder().decode(packet.subarray(40))).toBe("hello");
  });

  test("IPv6, and data beyond what a length field holds", () => {
    const source = Uint8Array.from({ length: 16 }, (_, i) => i);
    const packet = tcpPacket({ version: 6, ...segment, source, destination: source });
    const view = new DataView(packet.buffer);
    expect([packet[0], view.getUint16(4), packet[6], view.getUint16(40)]).toEqual([0x60, 25, 6, 5001]);
    const big = tcpPacket({ version: 4, ...segment, data: new Uint8Array(70_000) });
    expect(new DataView(big.buffer).getUint16(2)).toBe(0);
    expect(big.length).toBe(70_040);
  });
});
