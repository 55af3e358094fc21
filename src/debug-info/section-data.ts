/**
 * Content of one section as SectionData: read by ranges from the file, from the unpacked bytes of a compressed section, relocated where the
 * file is a module's.
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { FormatError } from "../bytes/errors.ts";
import { SharedBlocks } from "../bytes/shared-blocks.ts";
import type { SectionData } from "./debug-sections.ts";
import type { Elf, ElfSection } from "./elf.ts";
import type { SectionRelocations } from "./elf-relocations.ts";

/** Opens a section. Nothing but its headers is read yet. */
export function openSection(
  elf: Elf,
  section: ElfSection,
  name: string,
  address: bigint,
  relocations: SectionRelocations | undefined,
): SectionData {
  const size = elf.contentSize(section);
  const packed = elf.isCompressed(section);
  // The file may be shorter than its headers say; that is told for the range that is wanted.
  const raw = packed
    ? (target: Uint8Array, offset: number) => target.set(elf.read(section, offset, target.length))
    : (target: Uint8Array, offset: number) => fill(elf.source, target, section.offset + offset, name);
  const blocks =
    packed && relocations === undefined
      ? undefined
      : new SharedBlocks(size, (target, offset) => {
          raw(target, offset);
          relocations?.apply(target, offset);
        });
  const check = (offset: number, length: number) => {
    if (!(offset >= 0 && length >= 0 && offset + length <= size))
      throw new FormatError(elf.source.name, `${length} bytes at ${name}+0x${offset.toString(16)}, which has ${size}`);
    // Before anything of that length is allocated.
    if (!packed && section.offset + offset + length > elf.source.size)
      throw new FormatError(
        elf.source.name,
        `section ${name}: the file ends before byte ${offset + length} of it`,
        section.offset + offset,
      );
  };
  return {
    name,
    size,
    address,
    read(offset, length) {
      check(offset, length);
      return blocks === undefined ? elf.read(section, offset, length) : blocks.read(offset, length);
    },
    readInto(target, offset) {
      check(offset, target.length);
      raw(target, offset);
      relocations?.apply(target, offset);
    },
  };
}

function fill(source: ByteSource, target: Uint8Array, offset: number, name: string): void {
  const count = source.readInto(target, offset);
  if (count < target.length)
    throw new FormatError(source.name, `section ${name}: the file ends after ${count} of ${target.length} bytes`, offset);
}
