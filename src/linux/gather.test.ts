import { expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import { addNote, attempt, gather, part } from "./gather.ts";

function* broken(): Generator<number> {
  yield 1;
  yield 2;
  throw new CorruptionError("list_head", "a next pointer is NULL", virtual(0x40n));
}

test("what came before a break stays, and the break is told once", () => {
  const notes: string[] = [];
  expect(gather(broken(), notes, "queue")).toEqual([1, 2]);
  expect(gather(broken(), notes, "queue")).toEqual([1, 2]);
  expect(notes).toHaveLength(1);
  expect(notes[0]).toMatch(/^queue: .*a next pointer is NULL/);
});

test("errors of our own are no damage", () => {
  expect(() => attempt(() => (undefined as unknown as string).length, [], "x")).toThrow(TypeError);
});

test("a walk that is too long, and too many notes, end", () => {
  const notes: string[] = [];
  expect(gather([1, 2, 3], notes, "long", 2)).toEqual([1, 2]);
  expect(notes).toEqual(["long: cut after 2 entries"]);
  for (let i = 0; i < 200; i++) addNote(notes, `place ${i}`);
  expect(notes).toHaveLength(65);
  expect(notes.at(-1)).toMatch(/more places/);
});

test("a part that broke is not whole, though its notes were told before", () => {
  const notes: string[] = [];
  expect(part(notes, (own) => gather([], own, "queue"))).toEqual({ value: [], whole: true });
  for (const _ of [1, 2]) expect(part(notes, (own) => gather(broken(), own, "queue"))).toEqual({ value: [1, 2], whole: false });
  expect(notes).toHaveLength(1);
});
