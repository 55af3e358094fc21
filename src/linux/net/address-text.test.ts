import { expect, test } from "vitest";
import { hardwareText, ipv4OfWord, ipv4Text, ipv6Groups, ipv6Text, swap16 } from "./address-text.ts";

const v6 = (...groups: number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));

test("IPv4, from bytes and from a word", () => {
  expect(ipv4Text(Uint8Array.of(9, 10, 0, 0, 77), 1)).toBe("10.0.0.77");
  expect(ipv4OfWord(0x0100007f)).toBe("127.0.0.1");
  expect(ipv4OfWord(0xff0000e0)).toBe("224.0.0.255");
});

test("IPv6 in the form of RFC 5952", () => {
  expect(ipv6Text(v6(0, 0, 0, 0, 0, 0, 0, 0))).toBe("::");
  expect(ipv6Text(v6(0, 0, 0, 0, 0, 0, 0, 1))).toBe("::1");
  expect(ipv6Text(v6(0xfe80, 0, 0, 0, 0, 0, 0, 0))).toBe("fe80::");
  // A single zero stays; of two runs of one length the first is folded.
  expect(ipv6Text(v6(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1))).toBe("2001:db8:0:1:1:1:1:1");
  expect(ipv6Text(v6(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1))).toBe("2001:db8::1:0:0:1");
  expect(ipv6Text(v6(1, 0, 0, 2, 0, 0, 0, 3))).toBe("1:0:0:2::3");
  expect(ipv6Text(v6(0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001))).toBe("::ffff:10.0.0.1");
  expect(ipv6Groups(v6(0xfe80, 0, 0, 0, 0, 0, 0, 0x1a))).toBe("fe80:0:0:0:0:0:0:1a");
});

test("hardware addresses and ports", () => {
  expect(hardwareText(Uint8Array.of(2, 0x11, 0, 255))).toBe("02:11:00:ff");
  expect(swap16(0x8913)).toBe(0x1389);
});
