/**
 * Composes .debug_line: a header of version 2 to 5 and a program of opcodes.
 *
 *   const lines = lineProgram(5, { directories: ["/build", "mm"], files: [["slub.c", 1], ["slub.c", 1]] }, [
 *     at(0xffff_ffff_8100_0000n), row(0, 10), row(4, 12), end(8)]);
 */
import * as dw from "../constants.ts";
import { FieldWriter } from "./field-writer.ts";

export interface LineFiles {
  /** Version 5: number 0 is the compilation's; before: numbered from 1. */
  readonly directories: readonly string[];
  readonly files: readonly (readonly [name: string, directory: number])[];
}

export interface LineLayout {
  readonly offsetSize?: 4 | 8;
  readonly minimumInstruction?: number;
  readonly maximumOperations?: number;
  /** Version 5: with an MD5 of 16 bytes for each file, as Clang writes. */
  readonly md5?: boolean;
  /** Version 5: names as strings in the header instead of offsets in .debug_line_str. */
  readonly inline?: boolean;
}

export type LineOpcode = (program: FieldWriter) => void;

/** line_base −5, line_range 14, opcode_base 13: what compilers use. */
const LINE_BASE = -5;
const LINE_RANGE = 14;
const OPCODE_BASE = 13;
const ARGUMENTS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];

/** DW_LNE_set_address. */
export function at(address: bigint): LineOpcode {
  return (program) => extended(program, dw.DW_LNE_set_address, new FieldWriter().fixed(address, 8).finish());
}

/** A special opcode: addresses advance by so many instructions, lines by −5 to 8. */
export function special(instructions: number, lines: number): LineOpcode {
  return (program) => program.u8(OPCODE_BASE + instructions * LINE_RANGE + (lines - LINE_BASE));
}

/** A standard opcode with its arguments; of advance_line a signed one. */
export function standard(opcode: number, ...values: number[]): LineOpcode {
  return (program) => {
    program.u8(opcode);
    for (const value of values) {
      if (opcode === dw.DW_LNS_advance_line) program.sleb(value);
      else if (opcode === dw.DW_LNS_fixed_advance_pc) program.u16(value);
      else program.uleb(value);
    }
  };
}

/** DW_LNE_end_sequence, so many instructions further on. */
export function end(instructions: number): LineOpcode {
  return (program) => {
    program.u8(dw.DW_LNS_advance_pc).uleb(instructions);
    extended(program, dw.DW_LNE_end_sequence, new Uint8Array(0));
  };
}

export function extended(program: FieldWriter, opcode: number, operands: Uint8Array | readonly number[]): void {
  program
    .u8(0)
    .uleb(operands.length + 1)
    .u8(opcode)
    .bytes(operands);
}

/** .debug_line and .debug_line_str of one program. */
export function lineProgram(
  version: 2 | 3 | 4 | 5,
  { directories, files }: LineFiles,
  opcodes: readonly LineOpcode[],
  layout: LineLayout = {},
): { readonly ".debug_line": Uint8Array; readonly ".debug_line_str": Uint8Array } {
  const { offsetSize = 4, minimumInstruction = 1, maximumOperations = 1, md5 = false, inline = false } = layout;
  const strings = new FieldWriter().u8(0);
  const name = (writer: FieldWriter, text: string): void => {
    if (inline) writer.string(text);
    else {
      writer.fixed(strings.length, offsetSize);
      strings.string(text);
    }
  };
  const header = new FieldWriter().u8(minimumInstruction);
  if (version >= 4) header.u8(maximumOperations);
  header
    .u8(1)
    .u8(LINE_BASE & 0xff)
    .u8(LINE_RANGE)
    .u8(OPCODE_BASE)
    .bytes(ARGUMENTS);
  if (version >= 5) {
    const form = inline ? dw.DW_FORM_string : dw.DW_FORM_line_strp;
    header.u8(1).uleb(dw.DW_LNCT_path).uleb(form).uleb(directories.length);
    for (const directory of directories) name(header, directory);
    header
      .u8(md5 ? 3 : 2)
      .uleb(dw.DW_LNCT_path)
      .uleb(form)
      .uleb(dw.DW_LNCT_directory_index)
      .uleb(dw.DW_FORM_udata);
    if (md5) header.uleb(dw.DW_LNCT_MD5).uleb(dw.DW_FORM_data16);
    header.uleb(files.length);
    for (const [file, directory] of files) {
      name(header, file);
      header.uleb(directory);
      if (md5) header.bytes(new Uint8Array(16).fill(0xaa));
    }
  } else {
    for (const directory of directories) header.string(directory);
    header.u8(0);
    for (const [file, directory] of files) header.string(file).uleb(directory).uleb(300).uleb(4000);
    header.u8(0);
  }
  const program = new FieldWriter();
  for (const opcode of opcodes) opcode(program);
  const body = new FieldWriter().u16(version);
  if (version >= 5) body.u8(8).u8(0);
  body.fixed(header.length, offsetSize).bytes(header.finish()).bytes(program.finish());
  return { ".debug_line": new FieldWriter().counted(body.finish(), offsetSize).finish(), ".debug_line_str": strings.finish() };
}
