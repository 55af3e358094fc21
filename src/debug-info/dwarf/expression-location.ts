/**
 * Where a variable is, as a DWARF expression says it. DWARF 5, section 2.6.
 *
 *   memory          an address                                     the value lies there
 *   register        a register of the frame                        it is its content
 *   value, bytes    nowhere: the debugger knows the bits           DW_OP_stack_value, DW_OP_implicit_value
 *   implicit ptr    a pointer to something that was optimised out  which entry, and the offset in it
 *   pieces          parts of the value, each somewhere or nowhere
 *   none            nowhere at this pc
 */

/** A base type as the typed operations need it; DW_ATE_ encodings are told apart no further. */
export interface OperandType {
  /** Bytes. */
  readonly size: number;
  readonly encoding: "signed" | "unsigned" | "float";
}

/** Bits known to the debugger, as an unsigned integer. */
export interface ValueLocation {
  readonly kind: "value";
  readonly bits: bigint;
  /** The type the expression gave it; undefined for an untyped word of 64 bits. */
  readonly type: OperandType | undefined;
}

/** One location, whole. */
export type SimpleLocation =
  | { readonly kind: "memory"; readonly address: bigint }
  | { readonly kind: "register"; readonly register: number }
  | ValueLocation
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | {
      readonly kind: "implicit pointer";
      /** Offset in .debug_info of the entry whose value it points to. */
      readonly entry: number;
      /** Bytes from the start of that value. */
      readonly offset: bigint;
    }
  | { readonly kind: "none" }
  /** It is somewhere, and this cannot be found out: why, in words ("needs rdi, which this frame does not have"). */
  | { readonly kind: "unknown"; readonly reason: string };

/** A part of a value; they follow each other from its lowest byte. */
export interface Piece {
  readonly bits: number;
  /** First bit of the part within its location (DW_OP_bit_piece); 0 for whole pieces. */
  readonly skip: number;
  readonly location: SimpleLocation;
}

export type Location = SimpleLocation | { readonly kind: "pieces"; readonly pieces: readonly Piece[] };
