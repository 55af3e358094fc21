import { describe, expect, it } from "vitest";
import { parseNotes, vmcoreinfoOf } from "./elf-notes.ts";
import { encodeNotes, prstatus, textNote } from "./testing/build-notes.ts";

const notes = [
  prstatus("x86_64", 7, [1n, 2n]),
  { name: "ODD", type: 0x700, data: Uint8Array.of(1, 2, 3) },
  { name: "", type: 5, data: Uint8Array.of(9) },
  textNote("VMCOREINFO", "OSRELEASE=6.1\n"),
];

describe("parseNotes", () => {
  it.each([
    [true, 4],
    [false, 4],
    [true, 8],
    [false, 8],
  ])("reads notes, little-endian %s, padded to %d", (littleEndian, alignment) => {
    const parsed = parseNotes(encodeNotes(notes, littleEndian, alignment), littleEndian, alignment);
    expect(parsed).toEqual({ notes, clean: true });
    expect(vmcoreinfoOf(parsed.notes)).toBe("OSRELEASE=6.1\n");
  });

  it("copes with a p_align that tells the wrong padding", () => {
    expect(parseNotes(encodeNotes(notes, true, 4), true, 8).notes).toEqual(notes);
    expect(parseNotes(encodeNotes(notes, true, 8), true, 4).notes).toEqual(notes);
    expect(parseNotes(encodeNotes(notes, true, 4), true, 0).notes).toEqual(notes);
  });

  it("goes by p_align where both paddings would do", () => {
    const short = [{ name: "CORE", type: 9, data: Uint8Array.of(1, 2, 3, 4) }];
    expect(parseNotes(encodeNotes(short, true, 8), true, 8).notes).toEqual(short);
    expect(parseNotes(encodeNotes(short, true, 4), true, 4).notes).toEqual(short);
  });

  it("skips the zeroes between the notes of each CPU", () => {
    const one = encodeNotes(notes.slice(0, 1));
    const bytes = new Uint8Array(one.length * 2 + 400);
    bytes.set(one, 0);
    bytes.set(one, one.length + 300);
    expect(parseNotes(bytes, true, 4).notes).toHaveLength(2);
  });

  it("keeps the notes before a cut, and says that it was there", () => {
    const bytes = encodeNotes(notes);
    const parsed = parseNotes(bytes.subarray(0, bytes.length - 8), true, 4);
    expect(parsed.clean).toBe(false);
    expect(parsed.notes).toEqual(notes.slice(0, 3));
  });

  it("does not follow sizes that lie outside", () => {
    expect(
      parseNotes(
        Uint8Array.from({ length: 64 }, () => 0xff),
        true,
        4,
      ),
    ).toEqual({ notes: [], clean: false });
  });
});
