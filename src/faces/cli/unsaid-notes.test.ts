import { expect, it } from "vitest";
import type { Kernel } from "../../kernel/kernel.ts";
import { UnsaidNotes } from "./unsaid-notes.ts";

it("gives what came after the opening, each note once", () => {
  const notes = ["of the opening"];
  const unsaid = new UnsaidNotes({ notes } as unknown as Kernel);
  expect(unsaid.take()).toEqual([]);
  notes.push("a list is broken", "a task cannot be read");
  expect(unsaid.take()).toEqual(["a list is broken", "a task cannot be read"]);
  expect(unsaid.take()).toEqual([]);
});
