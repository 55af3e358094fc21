/** Debug sections in memory: what a test composed, as the readers see a file. */
import { FormatError } from "../../../bytes/errors.ts";
import type { DebugSections, SectionData } from "../../debug-sections.ts";

export class MemorySections implements DebugSections {
  readonly file: string;
  readonly machine = 62;
  readonly buildId = undefined;
  readonly split: boolean;
  /** By canonical name. A test may add and replace. */
  readonly contents: Map<string, Uint8Array>;
  /** Link-time addresses of sections, 0 for those not named. */
  readonly addresses = new Map<string, bigint>();
  /** What supplementary() and splitUnit() answer, the latter by id. */
  alternative: DebugSections | undefined;
  readonly splits = new Map<bigint, DebugSections>();

  constructor(contents: Map<string, Uint8Array> | Record<string, Uint8Array>, file = "vmlinux", split = false) {
    this.contents = contents instanceof Map ? contents : new Map(Object.entries(contents));
    this.file = file;
    this.split = split;
  }

  section(name: string): SectionData | undefined {
    const bytes = this.contents.get(name);
    if (bytes === undefined || bytes.length === 0) return undefined;
    const { file } = this;
    return {
      name,
      size: bytes.length,
      address: this.addresses.get(name) ?? 0n,
      read(offset, length) {
        if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length))
          throw new FormatError(`${file}: ${name}`, `${length} bytes beyond the section`, offset);
        return bytes.subarray(offset, offset + length);
      },
    };
  }

  supplementary(): DebugSections | undefined {
    return this.alternative;
  }

  splitUnit(_name: string | undefined, _directory: string | undefined, id: bigint): DebugSections | undefined {
    return this.splits.get(id);
  }
}
