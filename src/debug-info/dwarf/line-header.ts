/**
 * Header of a line program: its parameters, and the tables of directories and files. DWARF 5, section 6.2.4, and 7.5 for versions 2 to 4.
 *
 *   unit_length, version │ 5: address size, segment size │ header_length │ parameters, opcode lengths │ directories │ files ║ program …
 *
 *   2–4   strings up to an empty one; a file is name, directory, time, size. Files count from 1; directory 0 is the compilation's own
 *   5     formats of (content, form), then entries in these forms. Files count from 0; directory 0 is the compilation's own
 *
 * Names stay where they are until asked for: a unit of the kernel has some 500 files, and a stack trace names three.
 */
import { FormatError } from "../../bytes/errors.ts";
import type { DebugSections, SectionData } from "../debug-sections.ts";
import * as DW from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { readNumber, skipForm } from "./line-forms.ts";
import { baseName, joinPath } from "./line-paths.ts";
import { sectionString } from "./line-strings.ts";

/** How the program's opcodes are to be understood. */
export interface LineParameters {
  readonly version: number;
  readonly addressSize: number;
  readonly minimumInstruction: number;
  readonly maximumOperations: number;
  readonly defaultStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** LEB128 arguments by opcode; index 0 is unused. */
  readonly argumentCounts: Uint8Array;
}

/** No compiler writes a header near this size. */
const MAX_HEADER = 1 << 26;

/** Where a name stands: in the header itself, a string section, or nowhere (a form that needs more than the header has). */
type Place = "header" | ".debug_str" | ".debug_line_str" | "supplementary" | "unknown";

/** A table's names: offsets in a place that is the same for all of them, −1 for one that cannot be read there. */
interface Names {
  place: Place;
  readonly offsets: number[];
}

export class LineHeader {
  readonly parameters: LineParameters;
  /** Offsets in .debug_line: the program's first byte, and one past its last. */
  readonly programStart: number;
  readonly programEnd: number;
  readonly #sections: DebugSections;
  readonly #bytes: Uint8Array;
  readonly #where: string;
  readonly #compilationDirectory: string;
  readonly #directories: Names = { place: "header", offsets: [] };
  readonly #files: Names = { place: "header", offsets: [] };
  readonly #directoryOfFile: number[] = [];
  readonly #paths: (string | undefined)[] = [];

  private constructor(sections: DebugSections, section: SectionData, offset: number, directory: string, addressSize: number) {
    this.#sections = sections;
    this.#compilationDirectory = directory;
    this.#where = `${sections.file}: .debug_line`;
    const fixed = new DwarfReader(section.read(offset, Math.min(32, section.size - offset)), this.#where, offset);
    const { length, offsetSize } = fixed.initialLength();
    this.programEnd = offset + fixed.position + length;
    if (this.programEnd > section.size) fixed.fail(`a line program of ${length} bytes, which the section does not hold`);
    const version = fixed.u16();
    if (version < 2 || version > 5) fixed.fail(`a line program of version ${version}; 2 to 5 are known`);
    const ownAddressSize = version >= 5 ? fixed.u8() : addressSize;
    if (version >= 5) fixed.skip(1);
    const headerLength = fixed.offset(offsetSize);
    const start = offset + fixed.position;
    this.programStart = start + headerLength;
    if (this.programStart > this.programEnd || headerLength > MAX_HEADER) fixed.fail(`a line header of ${headerLength} bytes`);
    this.#bytes = section.read(start, headerLength);
    const reader = new DwarfReader(this.#bytes, this.#where, start);
    this.parameters = readParameters(reader, version, ownAddressSize);
    if (version >= 5) {
      this.#entries(reader, offsetSize, this.#directories, undefined);
      this.#entries(reader, offsetSize, this.#files, this.#directoryOfFile);
    } else this.#tables(reader);
  }

  /**
   * @param offset of the program in .debug_line; @param directory DW_AT_comp_dir; @param addressSize for versions that do not say it
   * Throws FormatError.
   */
  static read(sections: DebugSections, offset: number, directory: string | undefined, addressSize: number): LineHeader {
    const section = sections.section(".debug_line");
    if (section === undefined || offset >= section.size)
      throw new FormatError(sections.file, "no line program there in .debug_line", offset);
    return new LineHeader(sections, section, offset, directory ?? "", addressSize);
  }

  /** File numbers are below this. */
  get fileCount(): number {
    return this.#files.offsets.length;
  }

  /**
   * Path of a file by the number that rows and DW_AT_decl_file have: compilation directory, directory and name joined, "." and ".."
   * resolved. undefined when there is no such file or its name cannot be read.
   */
  path(file: number): string | undefined {
    const known = this.#paths[file];
    if (known !== undefined) return known;
    const name = this.#text(this.#files, file);
    if (name === undefined) return undefined;
    const directory = this.#text(this.#directories, this.#directoryOfFile[file] ?? 0) ?? "";
    const path = joinPath(this.#compilationDirectory, directory, name);
    this.#paths[file] = path;
    return path;
  }

  /** The last name of a file's path, which costs less than the whole. */
  fileBaseName(file: number): string | undefined {
    const name = this.#text(this.#files, file);
    return name === undefined ? undefined : baseName(name);
  }

  /** DW_LNE_define_file, which adds to the table while the program runs. */
  defineFile(name: string, directory: number): void {
    this.#directoryOfFile[this.fileCount] = directory;
    this.#paths[this.fileCount] = joinPath(this.#compilationDirectory, this.#text(this.#directories, directory) ?? "", name);
    this.#files.offsets.push(-1);
  }

  #text({ place, offsets }: Names, index: number): string | undefined {
    const offset = offsets[index];
    if (offset === undefined || offset < 0 || place === "unknown") return undefined;
    if (place === "header") return new DwarfReader(this.#bytes, this.#where, 0, offset).string();
    const sections = place === "supplementary" ? this.#sections.supplementary() : this.#sections;
    return sections === undefined ? undefined : sectionString(sections, place === "supplementary" ? ".debug_str" : place, offset);
  }

  /** Versions 2 to 4. Number 0 is not in the tables: the compilation's directory, and no file. */
  #tables(reader: DwarfReader): void {
    this.#directories.offsets.push(-1);
    while (!atEmptyString(reader)) {
      this.#directories.offsets.push(reader.position);
      reader.skipString();
    }
    this.#files.offsets.push(-1);
    while (!atEmptyString(reader)) {
      this.#files.offsets.push(reader.position);
      reader.skipString();
      this.#directoryOfFile[this.fileCount - 1] = reader.uleb();
      reader.skipLeb();
      reader.skipLeb();
    }
  }

  /** Version 5. @param directoryOf filled for the table of files */
  #entries(reader: DwarfReader, offsetSize: 4 | 8, names: Names, directoryOf: number[] | undefined): void {
    const formats: [content: number, form: number][] = [];
    for (let left = reader.u8(); left > 0; left--) formats.push([reader.uleb(), reader.uleb()]);
    const count = reader.uleb();
    // Each entry has at least one byte: a count beyond that is a lie, and would loop for long when the format is empty.
    if (formats.length === 0 ? count > 0 : count > this.#bytes.length) reader.fail(`${count} entries in ${this.#bytes.length} bytes`);
    names.place = placeOf(formats.find(([content]) => content === DW.DW_LNCT_path)?.[1]);
    const { offsets } = names;
    const gcc = formats.length === 2 && formats[0]?.[0] === DW.DW_LNCT_path && formats[1]?.[0] === DW.DW_LNCT_directory_index;
    if (gcc && formats[0]?.[1] === DW.DW_FORM_line_strp && formats[1]?.[1] === DW.DW_FORM_udata && offsetSize === 4) {
      // What GCC writes for each of some 500 files of a unit.
      for (let index = 0; index < count; index++) {
        offsets.push(reader.u32());
        const directory = reader.uleb();
        if (directoryOf !== undefined) directoryOf.push(directory);
      }
      return;
    }
    for (let index = 0; index < count; index++) {
      offsets.push(-1);
      for (const [content, form] of formats) {
        if (content === DW.DW_LNCT_path) offsets[index] = readName(reader, form, offsetSize);
        else if (content === DW.DW_LNCT_directory_index && directoryOf !== undefined) directoryOf[index] = readNumber(reader, form);
        else skipForm(reader, form, offsetSize);
      }
    }
  }
}

function readParameters(reader: DwarfReader, version: number, addressSize: number): LineParameters {
  const minimumInstruction = reader.u8();
  const maximumOperations = version >= 4 ? reader.u8() : 1;
  const defaultStatement = reader.u8() !== 0;
  const lineBase = reader.i8();
  const lineRange = reader.u8();
  const opcodeBase = reader.u8();
  if (lineRange === 0 || opcodeBase === 0) reader.fail("a line program without lines or opcodes");
  const argumentCounts = new Uint8Array(opcodeBase);
  argumentCounts.set(reader.take(opcodeBase - 1), 1);
  return {
    version,
    addressSize,
    minimumInstruction,
    // 0 is against the rules; nothing but 1 makes sense on machines without instruction bundles.
    maximumOperations: Math.max(1, maximumOperations),
    defaultStatement,
    lineBase,
    lineRange,
    opcodeBase,
    argumentCounts,
  };
}

/** At the end of a list? Moves over the empty string that ends it. */
function atEmptyString(reader: DwarfReader): boolean {
  if (reader.atEnd) return true;
  if (reader.bytes[reader.position] !== 0) return false;
  reader.u8();
  return true;
}

function placeOf(form: number | undefined): Place {
  switch (form) {
    case DW.DW_FORM_string:
      return "header";
    case DW.DW_FORM_line_strp:
      return ".debug_line_str";
    case DW.DW_FORM_strp:
      return ".debug_str";
    case DW.DW_FORM_strp_sup:
    case DW.DW_FORM_GNU_strp_alt:
      return "supplementary";
    default:
      return "unknown";
  }
}

/** Offset of a name in its place. */
function readName(reader: DwarfReader, form: number, offsetSize: 4 | 8): number {
  switch (form) {
    case DW.DW_FORM_string: {
      const at = reader.position;
      reader.skipString();
      return at;
    }
    case DW.DW_FORM_line_strp:
    case DW.DW_FORM_strp:
    case DW.DW_FORM_strp_sup:
    case DW.DW_FORM_GNU_strp_alt:
      return reader.offset(offsetSize);
    default:
      skipForm(reader, form, offsetSize);
      return 0;
  }
}
