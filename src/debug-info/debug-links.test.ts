import { describe, expect, it } from "vitest";
import { buildIdPaths, debugLinkPaths, parseAltLink, parseDebugLink, parseDebugSup } from "./debug-links.ts";
import { ascii } from "./testing/build-elf-file.ts";

describe("sections that name another file", () => {
  it(".gnu_debuglink: name, padding, checksum", () => {
    expect(parseDebugLink(Uint8Array.from([...ascii("vm.debug\0\0\0\0"), 0x78, 0x56, 0x34, 0x12]))).toEqual({
      name: "vm.debug",
      crc: 0x12345678,
    });
    expect(parseDebugLink(ascii("abc\0\x01\0\0\0"))).toEqual({ name: "abc", crc: 1 });
    for (const damaged of [ascii("abc"), ascii("\0\0\0\0\0\0\0\0"), ascii("abc\0\0\0"), new Uint8Array(0)])
      expect(parseDebugLink(damaged)).toBeUndefined();
  });

  it(".gnu_debugaltlink and .debug_sup", () => {
    expect(parseAltLink(ascii("../.dwz/x\0\xab\x01"))).toEqual({ name: "../.dwz/x", id: "ab01", isSupplementary: false });
    expect(parseAltLink(ascii("../.dwz/x\0"))).toBeUndefined();
    expect(parseDebugSup(ascii("\x05\0\0sup\0\x02\xcd\x07"))).toEqual({ name: "sup", id: "cd07", isSupplementary: false });
    expect(parseDebugSup(ascii("\x05\0\x01\0\x02\xcd\x07"))).toEqual({ name: "", id: "cd07", isSupplementary: true });
    for (const damaged of ["\x05\0\0sup\0\x09\xcd", "\x04\0\0sup\0\x01\xcd", "\x05\0\0sup", ""])
      expect(parseDebugSup(ascii(damaged))).toBeUndefined();
  });

  it("where the other file may be", () => {
    expect(buildIdPaths("abcdef0123", ["/usr/lib/debug", "/d/"])).toEqual([
      "/usr/lib/debug/.build-id/ab/cdef0123.debug",
      "/d/.build-id/ab/cdef0123.debug",
    ]);
    expect(buildIdPaths("../../etc", ["/d"])).toEqual([]);
    expect(debugLinkPaths("/boot/vmlinux", "v.debug", ["/usr/lib/debug/"])).toEqual([
      "/boot/v.debug",
      "/boot/.debug/v.debug",
      "/usr/lib/debug/boot/v.debug",
    ]);
    expect(debugLinkPaths("/vmlinux", "v.debug", ["/d"]).at(-1)).toBe("/d/v.debug");
  });
});
