/** Strings of a string section by their offset, read in small pieces: .debug_str of a kernel has megabytes. */
import type { DebugSections } from "../debug-sections.ts";
import { decodeText } from "./dwarf-reader.ts";

/** Longer than any path that an operating system takes. */
const MAX_LENGTH = 1 << 16;

/** undefined when there is no such section, or the offset lies outside. A string without an end ends with the section. */
export function sectionString(sections: DebugSections, name: string, offset: number): string | undefined {
  const section = sections.section(name);
  if (section === undefined || !(offset < section.size)) return undefined;
  for (let length = 128; ; length *= 8) {
    const bytes = section.read(offset, Math.min(length, section.size - offset));
    const end = bytes.indexOf(0);
    if (end >= 0) return decodeText(bytes, 0, end);
    if (bytes.length < length || length >= MAX_LENGTH) return decodeText(bytes, 0, bytes.length);
  }
}
