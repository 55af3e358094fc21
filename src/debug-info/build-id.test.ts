import { expect, it } from "vitest";
import { buildIdOf } from "./build-id.ts";

function note(name: string, type: number, data: readonly number[]): number[] {
  const words = new DataView(new ArrayBuffer(12));
  words.setUint32(0, name.length + 1, true);
  words.setUint32(4, data.length, true);
  words.setUint32(8, type, true);
  const padded = (bytes: readonly number[]) => [...bytes, ...new Array((4 - (bytes.length % 4)) % 4).fill(0)];
  return [...new Uint8Array(words.buffer), ...padded([...name].map((char) => char.charCodeAt(0)).concat(0)), ...padded(data)];
}

it("is the GNU note of type 3, wherever it stands among the others", () => {
  const notes = [...note("Linux", 0x101, [1]), ...note("Xen", 3, [7, 7]), ...note("GNU", 5, [9]), ...note("GNU", 3, [0xab, 0xcd, 0, 1])];
  expect(buildIdOf(Uint8Array.from(notes))).toBe("abcd0001");
});

it("is unknown without one, when it is empty, and when it is cut", () => {
  expect(buildIdOf(Uint8Array.from(note("Linux", 3, [1, 2, 3])))).toBeUndefined();
  expect(buildIdOf(Uint8Array.from(note("GNU", 3, [])))).toBeUndefined();
  expect(buildIdOf(Uint8Array.from(note("GNU", 3, [1, 2, 3, 4, 5, 6, 7, 8])).subarray(0, 20))).toBeUndefined();
});
