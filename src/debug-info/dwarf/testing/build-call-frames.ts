/**
 * Composes .debug_frame and .eh_frame: CIEs with augmentations, FDEs, and their instructions.
 *
 *   callFrames("debug", [{ instructions: cfa().defCfa(7, 8).offset(16, 1), functions: [
 *     { start: 0xffff_ffff_8100_0000n, length: 32, instructions: cfa().advance(1).defCfaOffset(16) }] }])
 */
import * as dw from "../constants.ts";
import { FieldWriter } from "./field-writer.ts";

/** Call-frame instructions; offsets are factored already. */
export class CfaWriter {
  readonly writer = new FieldWriter();

  advance(count: number): this {
    return this.op(dw.DW_CFA_advance_loc | count);
  }

  offset(register: number, factored: number): this {
    this.op(dw.DW_CFA_offset | register).writer.uleb(factored);
    return this;
  }

  restore(register: number): this {
    return this.op(dw.DW_CFA_restore | register);
  }

  defCfa(register: number, offset: number): this {
    this.op(dw.DW_CFA_def_cfa).writer.uleb(register).uleb(offset);
    return this;
  }

  defCfaOffset(offset: number): this {
    this.op(dw.DW_CFA_def_cfa_offset).writer.uleb(offset);
    return this;
  }

  /** Any instruction with unsigned operands. */
  op(opcode: number, ...operands: number[]): this {
    this.writer.u8(opcode);
    for (const operand of operands) this.writer.uleb(operand);
    return this;
  }

  /** Any instruction with an unsigned and a signed operand. */
  signed(opcode: number, operands: readonly number[], last: number): this {
    this.op(opcode, ...operands).writer.sleb(last);
    return this;
  }

  expression(opcode: number, operands: readonly number[], bytes: readonly number[]): this {
    this.op(opcode, ...operands)
      .writer.uleb(bytes.length)
      .bytes(bytes);
    return this;
  }
}

export function cfa(): CfaWriter {
  return new CfaWriter();
}

export interface TestFunction {
  readonly start: bigint;
  readonly length: number;
  readonly instructions?: CfaWriter;
}

export interface TestCie {
  readonly version?: 1 | 3 | 4;
  readonly augmentation?: string;
  /** R's encoding. */
  readonly encoding?: number;
  readonly codeFactor?: number;
  readonly dataFactor?: number;
  readonly returnRegister?: number;
  readonly instructions: CfaWriter;
  readonly functions: readonly TestFunction[];
}

export interface FrameLayout {
  readonly offsetSize?: 4 | 8;
  /** Link-time address of the section, for pc-relative encodings. */
  readonly address?: bigint;
}

/** The section's bytes; FDEs follow their CIE. */
export function callFrames(kind: "debug" | "eh", cies: readonly TestCie[], layout: FrameLayout = {}): Uint8Array {
  const { offsetSize = 4, address = 0n } = layout;
  const section = new FieldWriter();
  const idSize = kind === "eh" ? 4 : offsetSize;
  const entry = (body: Uint8Array) => section.counted(body, offsetSize);
  for (const cie of cies) {
    const start = section.length;
    const none = kind === "eh" ? 0 : -1;
    entry(new FieldWriter().fixed(none, idSize).bytes(cieBody(cie)).finish());
    for (const { start: low, length, instructions = cfa() } of cie.functions) {
      const idAt = section.length + (offsetSize === 8 ? 12 : 4);
      const body = new FieldWriter().fixed(kind === "eh" ? idAt - start : start, idSize);
      pointer(body, cie.encoding ?? dw.DW_EH_PE_absptr, low, address + BigInt(idAt + idSize));
      pointer(body, (cie.encoding ?? dw.DW_EH_PE_absptr) & 0x0f, BigInt(length), 0n);
      if (cie.augmentation?.startsWith("z") === true) body.uleb(3).bytes([1, 2, 3]);
      entry(body.bytes(instructions.writer.finish()).finish());
    }
  }
  return section.finish();
}

function cieBody({
  version = 1,
  augmentation = "",
  encoding = 0,
  codeFactor = 1,
  dataFactor = -8,
  returnRegister = 16,
  instructions,
}: TestCie) {
  const body = new FieldWriter().u8(version).string(augmentation);
  if (version === 4) body.u8(8).u8(0);
  body.uleb(codeFactor).sleb(dataFactor);
  if (version === 1) body.u8(returnRegister);
  else body.uleb(returnRegister);
  if (augmentation.startsWith("z")) {
    const data = new FieldWriter();
    for (const letter of augmentation.slice(1)) {
      if (letter === "R") data.u8(encoding);
      if (letter === "P") data.u8(dw.DW_EH_PE_udata4).u32(0xdeadbeef);
      if (letter === "L") data.u8(dw.DW_EH_PE_pcrel);
    }
    body.uleb(data.length).bytes(data.finish());
  }
  return body.bytes(instructions.writer.finish()).finish();
}

function pointer(writer: FieldWriter, encoding: number, value: bigint, place: bigint): void {
  const relative = (encoding & 0x70) === dw.DW_EH_PE_pcrel ? value - place : value;
  switch (encoding & 0x0f) {
    case dw.DW_EH_PE_uleb128:
      writer.uleb(relative);
      break;
    case dw.DW_EH_PE_sleb128:
      writer.sleb(relative);
      break;
    case dw.DW_EH_PE_udata2:
    case dw.DW_EH_PE_sdata2:
      writer.fixed(relative, 2);
      break;
    case dw.DW_EH_PE_udata4:
    case dw.DW_EH_PE_sdata4:
      writer.fixed(relative, 4);
      break;
    default:
      writer.fixed(relative, 8);
  }
}
