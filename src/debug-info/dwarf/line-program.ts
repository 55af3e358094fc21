/**
 * Runs a line program into arrays of rows. DWARF 5, sections 6.2.2 (registers) and 6.2.5 (opcodes).
 *
 *   set_address, special, special, advance_pc, copy … end_sequence      one sequence: rows of ascending addresses, then its end
 *
 *   addresses   │ seq 0: a a a a end │ seq 1: a a end │ …        row i covers addresses[i] … addresses[i + 1]
 *   lines …     │        l l l l  -  │        l l  -  │
 *
 * Sequences are in any order in the file and sorted here. One that does not ascend, or lies where no kernel can, is left out.
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

/** Rows of all sequences, sorted by sequence; the end of each is a row too. */
export interface LineRows {
  /** Signed doubles (link-address.ts). */
  readonly addresses: Float64Array;
  readonly lines: Uint32Array;
  readonly files: Uint16Array;
  readonly columns: Uint16Array;
  /** is_stmt. */
  readonly statements: Uint8Array;
  /** By sequence: its first row, its last (the end), in ascending order of addresses. */
  readonly firsts: Uint32Array;
  readonly lasts: Uint32Array;
}

/** A unit of a kernel has at most some 100,000 rows; a program has a byte for each at least. */
const MAX_PROGRAM = 1 << 27;
const OUT_OF_RANGE = 0xffff;

/** Grows as the program runs; taken over by each run in turn, since runs do not overlap. */
class RowBuffer {
  addresses = new Float64Array(4096);
  lines = new Uint32Array(4096);
  files = new Uint16Array(4096);
  columns = new Uint16Array(4096);
  statements = new Uint8Array(4096);
  count = 0;

  grow(): void {
    const size = this.lines.length * 2;
    const grown = <T extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.addresses = grown(this.addresses, new Float64Array(size));
    this.lines = grown(this.lines, new Uint32Array(size));
    this.files = grown(this.files, new Uint16Array(size));
    this.columns = grown(this.columns, new Uint16Array(size));
    this.statements = grown(this.statements, new Uint8Array(size));
  }
}

/** Runs a program. Throws FormatError when it breaks off or has opcodes that end beyond it. */
export function runLineProgram(section: SectionData, header: LineHeader, file: string): LineRows {
  const { parameters, programStart, programEnd } = header;
  const where = `${file}: .debug_line`;
  const length = programEnd - programStart;
  const reader = new DwarfReader(section.read(programStart, Math.min(length, MAX_PROGRAM)), where, programStart);
  if (length > MAX_PROGRAM) reader.fail(`a line program of ${length} bytes`);
  const { minimumInstruction, maximumOperations, defaultStatement, lineBase, lineRange, opcodeBase, argumentCounts } = parameters;
  const buffer = new RowBuffer();
  const sequences: { first: number; last: number; low: number }[] = [];
  let address = 0;
  let operation = 0;
  let fileNumber = 1;
  let line = 1;
  let column = 0;
  let statement = defaultStatement;
  let first = 0;
  let ascending = true;

  const advance = (operations: number) => {
    if (maximumOperations === 1) address += operations * minimumInstruction;
    else {
      address += Math.floor((operation + operations) / maximumOperations) * minimumInstruction;
      operation = (operation + operations) % maximumOperations;
    }
  };
  const emit = () => {
    if (buffer.count === buffer.lines.length) buffer.grow();
    const at = buffer.count++;
    buffer.addresses[at] = address;
    buffer.lines[at] = line;
    buffer.files[at] = Math.min(fileNumber, OUT_OF_RANGE);
    buffer.columns[at] = column < OUT_OF_RANGE ? column : 0;
    buffer.statements[at] = statement ? 1 : 0;
    // Not below, and not NaN.
    if (at > first && !(address >= buffer.addresses[at - 1]!)) ascending = false;
  };

  while (!reader.atEnd) {
    const opcode = reader.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance(Math.floor(adjusted / lineRange));
      line += lineBase + (adjusted % lineRange);
      emit();
    } else if (opcode === 0) {
      const size = reader.uleb();
      const next = reader.position + size;
      const extended = size > 0 ? reader.u8() : 0;
      if (extended === DW_LNE_end_sequence) {
        emit();
        const last = buffer.count - 1;
        const low = buffer.addresses[first]!;
        // An empty one belongs to a function that the linker threw away.
        if (ascending && buffer.addresses[last]! > low) sequences.push({ first, last, low });
        else buffer.count = first;
        first = buffer.count;
        address = operation = column = 0;
        fileNumber = line = 1;
        statement = defaultStatement;
        ascending = true;
      } else if (extended === DW_LNE_set_address) {
        address = signedAddress(reader.address(size - 1));
        operation = 0;
      } else if (extended === DW_LNE_define_file) header.defineFile(reader.string(), reader.uleb());
      reader.seek(next);
    } else if (opcode === DW_LNS_copy) emit();
    else if (opcode === DW_LNS_advance_pc) advance(reader.uleb());
    else if (opcode === DW_LNS_advance_line) line += reader.sleb();
    else if (opcode === DW_LNS_set_file) fileNumber = reader.uleb();
    else if (opcode === DW_LNS_set_column) column = reader.uleb();
    else if (opcode === DW_LNS_negate_stmt) statement = !statement;
    else if (opcode === DW_LNS_const_add_pc) advance(Math.floor((255 - opcodeBase) / lineRange));
    else if (opcode === DW_LNS_fixed_advance_pc) {
      address += reader.u16();
      operation = 0;
    } else for (let left = argumentCounts[opcode]!; left > 0; left--) reader.skipLeb();
  }
  return sorted(buffer, sequences);
}

function sorted(buffer: RowBuffer, sequences: { first: number; last: number; low: number }[]): LineRows {
  sequences.sort((a, b) => a.low - b.low || a.first - b.first);
  const { count } = buffer;
  return {
    addresses: buffer.addresses.slice(0, count),
    lines: buffer.lines.slice(0, count),
    files: buffer.files.slice(0, count),
    columns: buffer.columns.slice(0, count),
    statements: buffer.statements.slice(0, count),
    firsts: Uint32Array.from(sequences, ({ first }) => first),
    lasts: Uint32Array.from(sequences, ({ last }) => last),
  };
}
