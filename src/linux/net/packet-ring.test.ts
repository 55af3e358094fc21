import { beforeEach, describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { readPacketRing } from "./packet-ring.ts";

const RING = 0xffff_8880_0010_0000n;
const VECTOR = 0xffff_8880_0011_0000n;
const BLOCK = 0xffff_8880_0020_0000n;

let kernel: FakeKernel;
const at = (address: bigint) => virtual(address);

beforeEach(() => {
  kernel = new FakeKernel({
    kbdq: {
      feature_req_word: [0, "u32"],
      kactive_blk_num: [4, "u16"],
      blk_sizeof_priv: [6, "u16"],
      retire_blk_tov: [8, "u16"],
    },
    packet_ring_buffer: {
      pg_vec: [0, "u64"],
      head: [8, "u32"],
      frames_per_block: [12, "u32"],
      frame_size: [16, "u32"],
      frame_max: [20, "u32"],
      pg_vec_pages: [24, "u32"],
      pg_vec_len: [28, "u32"],
      prb_bdqc: [32, "kbdq"],
    },
  });
});

function makeRing(blocks: number): void {
  const { memory } = kernel;
  memory.put64(RING, VECTOR);
  memory.put32(RING + 8n, 1);
  memory.put32(RING + 12n, 2);
  memory.put32(RING + 16n, 2048);
  memory.put32(RING + 20n, blocks * 2 - 1);
  memory.put32(RING + 24n, 1);
  memory.put32(RING + 28n, blocks);
  memory.put32(RING + 32n, 0);
  memory.put16(RING + 36n, 1);
  memory.put16(RING + 38n, 16);
  memory.put16(RING + 40n, 100);
  for (let i = 0; i < blocks; i++) memory.put64(VECTOR + BigInt(i * 8), BLOCK + BigInt(i * 4096));
  for (let i = 0; i < blocks; i++) memory.write(BLOCK + BigInt(i * 4096), new Uint8Array(4096));
}

/** struct tpacket2_hdr and sockaddr_ll, then the text at byte 66. */
function frameV2(address: bigint, status: number, content: string, mac = 66): void {
  const { memory } = kernel;
  memory.put32(address, status);
  memory.put32(address + 4n, content.length);
  memory.put32(address + 8n, content.length);
  memory.put16(address + 12n, mac);
  memory.put16(address + 14n, mac + 14);
  memory.put32(address + 16n, 1_700_000_000);
  memory.put32(address + 20n, 123_456_789);
  memory.put16(address + 24n, 42);
  memory.put16(address + 26n, 0x88a8);
  memory.put16(address + 34n, 0x0008);
  memory.put32(address + 36n, 2);
  memory.put16(address + 40n, 772);
  memory.put8(address + 42n, 4);
  memory.putText(address + BigInt(mac), content);
}

/** struct tpacket3_hdr; `next` is the distance to the next packet. */
function packetV3(address: bigint, next: number, content: string): void {
  const { memory } = kernel;
  memory.put32(address, next);
  memory.put32(address + 4n, 1_700_000_000);
  memory.put32(address + 8n, 5);
  memory.put32(address + 12n, content.length);
  memory.put32(address + 16n, content.length + 100);
  memory.put16(address + 24n, 82);
  memory.putText(address + 82n, content);
}

function blockV3(address: bigint, status: number, packets: number, sequence: bigint): void {
  const { memory } = kernel;
  memory.put32(address, 3);
  memory.put32(address + 8n, status);
  memory.put32(address + 12n, packets);
  memory.put32(address + 16n, 64);
  memory.put32(address + 20n, 500);
  memory.put64(address + 24n, sequence);
  memory.put32(address + 32n, 1_700_000_000);
}

const content = (data: bigint, length: number) => new TextDecoder().decode(kernel.memory.bytes(at(data), length));

describe("a ring of V2", () => {
  test("frames with a packet, their owners, times, tags and devices; empty ones are left out", () => {
    makeRing(2);
    frameV2(BLOCK, 1 | 0x10 | 0x40, "delivered");
    frameV2(BLOCK + 2048n, 0, "given back");
    const ring = readPacketRing(kernel.kernel, at(RING), "rx", 2);
    expect(ring?.request).toEqual({ blockSize: 4096, blocks: 2, frameSize: 2048, frames: 4 });
    expect(ring?.head).toBe(1);
    const [first, second] = ring?.blocks[0]?.frames ?? [];
    expect(first).toMatchObject({
      index: 0,
      owner: "user",
      length: 9,
      captured: 9,
      mac: 66,
      net: 80,
      timestamp: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
    });
    expect(first?.statusNames).toEqual(["USER", "VLAN_VALID", "VLAN_TPID_VALID"]);
    expect(first?.vlan).toEqual({ protocol: 0x88a8, tci: 42 });
    expect(first?.from).toEqual({ device: 2, hardwareType: 772, protocol: 0x800, packetType: 4 });
    expect(content(first?.data ?? 0n, 9)).toBe("delivered");
    expect(second).toMatchObject({ index: 1, owner: "kernel", statusNames: ["KERNEL"] });
    expect(second?.vlan).toBeUndefined();
    expect(ring?.blocks[1]?.frames).toEqual([]);
  });

  test("a packet beyond its frame and a block that is missing are told; the others are there", () => {
    makeRing(2);
    frameV2(BLOCK, 1, "x", 2048);
    frameV2(BLOCK + 2048n, 1, "fine");
    kernel.memory.put64(VECTOR + 8n, 0xdead_0000_0000_0000n);
    const ring = readPacketRing(kernel.kernel, at(RING), "rx", 2);
    expect(ring?.blocks[0]?.frames.map(({ index }) => index)).toEqual([1]);
    expect(ring?.blocks[0]?.problem).toMatch(/frame 0: 1 of 1 bytes from byte 2048 on in 2048/);
    expect(ring?.blocks[1]?.problem).toMatch(/cannot be read/);
  });

  test("a ring for sending: what waits is the kernel's", () => {
    makeRing(1);
    kernel.memory.put32(BLOCK, 1);
    kernel.memory.put32(BLOCK + 4n, 5);
    kernel.memory.putText(BLOCK + 32n, "going");
    const frame = readPacketRing(kernel.kernel, at(RING), "tx", 2)?.blocks[0]?.frames[0];
    expect(frame).toMatchObject({ owner: "kernel", statusNames: ["SEND_REQUEST"], length: 5 });
    expect(content(frame?.data ?? 0n, 5)).toBe("going");
  });
});

describe("a ring of V3", () => {
  test("blocks with status, number and packets of any size", () => {
    makeRing(2);
    blockV3(BLOCK, 1 | 0x20, 2, 7n);
    packetV3(BLOCK + 64n, 208, "first");
    packetV3(BLOCK + 272n, 0, "second one");
    const ring = readPacketRing(kernel.kernel, at(RING), "rx", 3);
    expect(ring?.request).toMatchObject({ retireTimeout: 100, privateSize: 16, features: 0 });
    const [block, next] = ring?.blocks ?? [];
    expect(block).toMatchObject({ owner: "user", statusNames: ["USER", "BLK_TMO"], sequence: 7, packets: 2, length: 500 });
    expect(block?.active).toBeUndefined();
    expect(block?.problem).toBeUndefined();
    expect(block?.frames.map(({ data, captured, length }) => [content(data, captured), length])).toEqual([
      ["first", 105],
      ["second one", 110],
    ]);
    expect(block?.frames[0]?.owner).toBe("user");
    expect(next).toMatchObject({ owner: "kernel", statusNames: ["KERNEL"], active: true, frames: [] });
  });

  test.each([
    ["a packet behind the end", 4000, /packet 1 of 9 would begin at byte 4064 of 4096/],
    ["a way back", 0xffff_ffff, /packet 1 of 9 would begin at byte 4294967359/],
    ["fewer packets than num_pkts", 0, /num_pkts is 9, and the last packet is 0/],
  ])("%s ends the block", (_what, next, told) => {
    makeRing(1);
    blockV3(BLOCK, 1, 9, 1n);
    packetV3(BLOCK + 64n, next, "first");
    const block = readPacketRing(kernel.kernel, at(RING), "rx", 3)?.blocks[0];
    expect(block?.frames.length).toBe(1);
    expect(block?.problem).toMatch(told);
  });
});

test("no ring is none; one of impossible size is damage", () => {
  kernel.memory.put64(RING, 0n);
  expect(readPacketRing(kernel.kernel, at(RING), "rx", 1)).toBeUndefined();
  makeRing(1);
  kernel.memory.put32(RING + 28n, 0x7fffffff);
  expect(() => readPacketRing(kernel.kernel, at(RING), "rx", 1)).toThrow(/2147483647 blocks/);
});
