import { expect, test } from "vitest";
import { readPcapng } from "../testing/pcapng-reader.ts";
import { LINKTYPE, type PcapngPacket, pcapng } from "./pcapng.ts";

function written(packets: readonly PcapngPacket[], system?: string): Uint8Array {
  return Uint8Array.from([...pcapng(packets, "Inquest", system)].flatMap((block) => [...block]));
}

test("packets come back as they were, each with its interface and comment; an interface is described once", () => {
  const lo = { name: "lo", linkType: LINKTYPE.ethernet };
  const other = { name: "lo", description: "network namespace 4026532142", linkType: LINKTYPE.ethernet };
  const raw = { name: "lo", linkType: LINKTYPE.raw };
  const packets: PcapngPacket[] = [
    {
      interface: lo,
      timestamp: 1_795_194_958_058_093_720n,
      bytes: Uint8Array.of(1, 2, 3, 4, 5),
      originalLength: 5,
      comment: "socket ä, receive queue",
    },
    { interface: other, timestamp: 0n, bytes: Uint8Array.of(9, 9, 9, 9), originalLength: 1500 },
    { interface: raw, timestamp: 1n, bytes: new Uint8Array(0), originalLength: 0 },
    { interface: { ...lo }, timestamp: 2n, bytes: Uint8Array.of(7), originalLength: 0 },
  ];
  const capture = readPcapng(written(packets, "Linux 6.1.0"));
  expect(capture.application).toBe("Inquest");
  expect(capture.system).toBe("Linux 6.1.0");
  expect(capture.interfaces.map(({ name, description, linkType, resolution }) => [name, description, linkType, resolution])).toEqual([
    ["lo", undefined, 1, 9],
    ["lo", "network namespace 4026532142", 1, 9],
    ["lo", undefined, 101, 9],
  ]);
  expect(capture.packets.map(({ bytes }) => [...bytes])).toEqual([[1, 2, 3, 4, 5], [9, 9, 9, 9], [], [7]]);
  expect(capture.packets.map(({ timestamp }) => timestamp)).toEqual([1_795_194_958_058_093_720n, 0n, 1n, 2n]);
  // Never shorter on the wire than in the file.
  expect(capture.packets.map(({ originalLength }) => originalLength)).toEqual([5, 1500, 0, 1]);
  expect(capture.packets.map(({ comment }) => comment)).toEqual(["socket ä, receive queue", undefined, undefined, undefined]);
  expect(capture.packets[3]?.interface).toBe(capture.packets[0]?.interface);
});

test("a file without packets is a section header alone; a comment longer than 65,535 bytes is cut", () => {
  expect(readPcapng(written([])).interfaces).toEqual([]);
  const long = {
    interface: { name: "x", linkType: 147 },
    timestamp: 0n,
    bytes: Uint8Array.of(1),
    originalLength: 1,
    comment: "c".repeat(70_000),
  };
  expect(readPcapng(written([long])).packets[0]?.comment?.length).toBe(65_535);
});
