/** The build-id that the linker notes in every file it makes (ld --build-id), and the kernel keeps in its memory. */
import { parseNotes } from "../dump/elf-notes.ts";
import { hex } from "./debug-links.ts";

export const NT_GNU_BUILD_ID = 3;

/** The build-id in hex among notes; undefined when there is none. */
export function buildIdOf(notes: Uint8Array): string | undefined {
  const found = parseNotes(notes, true, 4).notes.find(
    ({ name, type, data }) => name === "GNU" && type === NT_GNU_BUILD_ID && data.length > 0,
  );
  return found === undefined ? undefined : hex(found.data);
}
