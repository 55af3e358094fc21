/**
 * Finds the row of one address in a line program without keeping any: the program runs until it passes the address. A stack trace asks one
 * or two addresses of a unit, and rows of all its code would be made for them (line-program.ts) otherwise.
 *
 * The same registers and opcodes as there (DWARF 5, 6.2.5), in one loop without calls: it runs cold at every start of the program.
 */
import type { SectionData } from "../debug-sections.ts";
import {
  DW_LNE_define_file,
  DW_LNE_end_sequence,
  DW_LNE_set_address,
  DW_LNS_advance_line,
  DW_LNS_advance_pc,
  DW_LNS_const_add_pc,
  DW_LNS_copy,
  DW_LNS_fixed_advance_pc,
  DW_LNS_negate_stmt,
  DW_LNS_set_column,
  DW_LNS_set_file,
} from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import type { LineHeader } from "./line-header.ts";
import { signedAddress } from "./link-address.ts";

/** A row that covers an address. */
export interface FoundRow {
  /** Signed doubles (link-address.ts). */
  readonly low: number;
  readonly high: number;
  readonly line: number;
  readonly file: number;
  readonly column: number;
  readonly statement: boolean;
}

/** Longer programs are run once and for all. */
const MAX_PROGRAM = 1 << 20;

/**
 * The row that covers an address; undefined when none does. null when the program must be run whole: it is long, has instruction bundles, or
 * names files as it goes. Throws FormatError when it breaks off before the address.
 */
export function searchLineProgram(section: SectionData, header: LineHeader, file: string, wanted: number): FoundRow | undefined | null {
  const { programStart, programEnd } = header;
  const { minimumInstruction, maximumOperations, defaultStatement, lineBase, lineRange, opcodeBase, argumentCounts } = header.parameters;
  if (programEnd - programStart > MAX_PROGRAM || maximumOperations !== 1) return null;
  const bytes = section.read(programStart, programEnd - programStart);
  const reader = new DwarfReader(bytes, `${file}: .debug_line`, programStart);
  const constant = Math.floor((255 - opcodeBase) / lineRange) * minimumInstruction;
  const end = bytes.length;
  let address = 0;
  let line = 1;
  let fileNumber = 1;
  let column = 0;
  let statement = defaultStatement;
  /** The row before, when it is in this sequence and not above the wanted address. */
  let near = false;
  let low = 0;
  let nearLine = 0;
  let nearFile = 0;
  let nearColumn = 0;
  let nearStatement = false;
  for (let at = 0; at < end; ) {
    const opcode = bytes[at++] as number;
    let emit = opcode === DW_LNS_copy;
    let last = false;
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      const steps = (adjusted / lineRange) | 0;
      address += steps * minimumInstruction;
      line += lineBase + adjusted - steps * lineRange;
      emit = true;
    } else if (opcode === DW_LNS_set_column && (bytes[at] as number) < 0x80) column = bytes[at++] as number;
    else if (opcode === DW_LNS_negate_stmt) statement = !statement;
    else if (opcode === DW_LNS_const_add_pc) address += constant;
    else if (opcode !== DW_LNS_copy) {
      reader.position = at;
      if (opcode === DW_LNS_advance_line) line += reader.sleb();
      else if (opcode === DW_LNS_advance_pc) address += reader.uleb() * minimumInstruction;
      else if (opcode === DW_LNS_set_file) fileNumber = reader.uleb();
      else if (opcode === DW_LNS_set_column) column = reader.uleb();
      else if (opcode === DW_LNS_fixed_advance_pc) address += reader.u16();
      else if (opcode === 0) {
        const size = reader.uleb();
        const next = reader.position + size;
        const extended = size > 0 ? reader.u8() : 0;
        if (extended === DW_LNE_define_file) return null;
        if (extended === DW_LNE_set_address) address = signedAddress(reader.address(size - 1));
        emit = last = extended === DW_LNE_end_sequence;
        reader.seek(next);
      } else for (let left = argumentCounts[opcode] as number; left > 0; left--) reader.skipLeb();
      at = reader.position;
    }
    if (!emit) continue;
    if (near && address > wanted) {
      return { low, high: address, line: nearLine >>> 0, file: nearFile, column: nearColumn, statement: nearStatement };
    }
    near = !last && address <= wanted;
    if (near) {
      low = address;
      nearLine = line;
      nearFile = fileNumber;
      nearColumn = column;
      nearStatement = statement;
    }
    if (last) {
      address = column = 0;
      line = fileNumber = 1;
      statement = defaultStatement;
    }
  }
  return undefined;
}
