/**
 * The debug sections of one file as their readers want them: by canonical name, decompressed, relocated, read by ranges. A vmlinux has
 * gigabytes of them: no reader takes a section whole unless it is small.
 *
 *   .zdebug_info, SHF_COMPRESSED .debug_info, .debug_info of a .ko with .rela.debug_info, .debug_info.dwo  ──►  ".debug_info"
 */

/** Content of one section. */
export interface SectionData {
  /** Canonical: ".debug_info", ".eh_frame". */
  readonly name: string;
  /** Bytes, uncompressed. */
  readonly size: number;
  /** Link-time address of its first byte; relocated in a module, 0 for debug sections. `.eh_frame` is relative to it. */
  readonly address: bigint;
  /**
   * Bytes `offset … offset + length`, decompressed and relocated. The result may be shared: it must not be written to, and stays valid.
   * Throws FormatError when it reaches beyond the end.
   */
  read(offset: number, length: number): Uint8Array;
  /** The same into an array of the caller's, nothing kept: for passes over the whole section. Not every section has it. */
  readInto?(target: Uint8Array, offset: number): void;
}

export interface DebugSections {
  /** Name of the file, for messages. */
  readonly file: string;
  /** EM_X86_64 (62) or EM_AARCH64 (183). */
  readonly machine: number;
  /** GNU build-id in hex, where the file has one. */
  readonly buildId: string | undefined;
  /** True for split DWARF (.dwo, .dwp). */
  readonly split: boolean;
  /** True when opening `file` by its name alone gives these .debug_ sections again: it is on disk, and nothing in it was relocated. */
  readonly reopenable?: boolean;
  /** A section with content by its canonical name; undefined when the file has none. */
  section(name: string): SectionData | undefined;
  /** The dwz supplementary file that .gnu_debugaltlink or .debug_sup names, opened on first need; undefined when there is none. */
  supplementary(): DebugSections | undefined;
  /**
   * The split part of a skeleton unit: its .dwo, or the package (.dwp) beside the file. undefined when it cannot be found.
   * @param name DW_AT_dwo_name; @param directory DW_AT_comp_dir; @param id dwo_id of the unit
   */
  splitUnit(name: string | undefined, directory: string | undefined, id: bigint): DebugSections | undefined;
}
