/**
 * Call-frame information: how the caller's registers follow from a function's, at each of its instructions. DWARF 5, section 6.4.
 *
 *   CIE's instructions ─► row at the function's first byte ─► FDE's instructions, up to the pc ─► row at the pc
 *
 *   CFA = rsp + 40      rbx at CFA − 24      rip at CFA − 8      the rest as the machine's calling convention says
 */
import type { FrameRow } from "../debug-info.ts";
import type { DebugSections } from "../debug-sections.ts";
import type { FrameSection } from "./call-frame-entry.ts";
import { runCallFrame } from "./call-frame-program.ts";
import { CallFrameTable } from "./call-frame-table.ts";

/** Where debuggers look, in this order: the kernel is linked without .eh_frame, its assembler parts may have it all the same. */
const SECTIONS = [
  [".debug_frame", "debug"],
  [".eh_frame", "eh"],
] as const;

export class CallFrames {
  readonly #sections: DebugSections;
  #tables: readonly CallFrameTable[] | undefined;

  private constructor(sections: DebugSections) {
    this.#sections = sections;
  }

  /** Reads nothing yet. */
  static open(sections: DebugSections): CallFrames {
    return new CallFrames(sections);
  }

  /**
   * The row for a link-time pc; pass the address minus 1 of a return address. undefined where no entry covers it. Throws FormatError when
   * the entry is damaged or has instructions that are not known.
   */
  row(pc: bigint): FrameRow | undefined {
    for (const table of this.#open()) {
      const entry = table.find(pc);
      if (entry !== undefined) return runCallFrame(entry, pc, `${this.#sections.file}: call-frame information`);
    }
    return undefined;
  }

  #open(): readonly CallFrameTable[] {
    this.#tables ??= SECTIONS.flatMap(([name, kind]) => {
      const data = this.#sections.section(name);
      const section: FrameSection | undefined = data === undefined ? undefined : { data, kind, file: this.#sections.file };
      return section === undefined ? [] : [new CallFrameTable(section)];
    });
    return this.#tables;
  }
}
