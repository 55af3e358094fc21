/**
 * Debugging information entries as the readers above see them. DWARF 5, sections 2 and 7; GCC's extensions of version 4 are answered
 * under their standard names (GNU_call_site as call_site and so on).
 *
 *   unit ── DIE compile_unit ─┬─ DIE base_type
 *                             ├─ DIE structure_type ── members
 *                             └─ DIE subprogram ─┬─ formal_parameter
 *                                                └─ inlined_subroutine …
 */

/** A half-open range of link-time addresses. */
export interface AddressRange {
  readonly low: bigint;
  readonly high: bigint;
}

export type UnitKind = "compile" | "partial" | "type" | "skeleton" | "split";

export interface Unit {
  /** Offset of the unit's header in its section. */
  readonly offset: number;
  /** End of the unit in its section. */
  readonly end: number;
  readonly kind: UnitKind;
  /** DWARF version 2 to 5. */
  readonly version: number;
  /** 8 for every kernel that Inquest opens. */
  readonly addressSize: number;
  /** 4 (32-bit DWARF) or 8. */
  readonly offsetSize: 4 | 8;
  /** The unit's own entry. For a skeleton whose split part was found, the split unit's. */
  readonly root: Die;
  /** DW_AT_name: the source file; DW_AT_comp_dir. */
  readonly name: string | undefined;
  readonly directory: string | undefined;
  /** Offset of the unit's line program in .debug_line (of the file that holds it: a skeleton's own file). */
  readonly lineOffset: number | undefined;
  /** DW_AT_low_pc, the base of range and location lists; 0 where there is none. */
  readonly baseAddress: bigint;
  /** All code of the unit, from its own ranges. */
  readonly ranges: readonly AddressRange[];
  /** Partial units (dwz) whose entries belong to this unit too: DW_TAG_imported_unit of its root, and theirs in turn. */
  readonly imports: readonly Unit[];
  /** An entry by its offset in the unit's section. Throws FormatError when that is no entry of this unit. */
  dieAt(offset: number): Die;
  /** DW_FORM_addrx, DW_OP_addrx: entry of .debug_addr. */
  addressAt(index: number): bigint;
  /**
   * The location expression that holds at a link-time pc, from the value of an attribute of class exprloc, block or loclist: bytes of the
   * expression (empty: known to be nowhere), undefined when no entry of the list covers the pc.
   */
  locationAt(die: Die, attribute: number, pc: bigint): Uint8Array | undefined;
  /** All entries of a location list, the bounds as link-time addresses; one without bounds for a plain expression. */
  locations(die: Die, attribute: number): Iterable<{ readonly range: AddressRange | undefined; readonly expression: Uint8Array }>;
}

/** One entry. Attribute arguments are DW_AT_ numbers of constants.ts; a value of another class than asked for is undefined. */
export interface Die {
  readonly unit: Unit;
  /** Offset in the unit's section. Not unique: .debug_types, supplementary files and split units count from 0 again. */
  readonly offset: number;
  /** Identifies the entry among all that can be reached from one Units, whatever file and section it lies in. */
  readonly key: number;
  readonly tag: number;
  readonly hasChildren: boolean;
  has(attribute: number): boolean;
  /** What the attribute's form is good for. */
  classOf(attribute: number): "address" | "block" | "constant" | "flag" | "reference" | "string" | "section offset" | undefined;
  /** Constants and section offsets (also DW_FORM_implicit_const, data16 not). */
  bigint(attribute: number): bigint | undefined;
  /** Constants whose form tells no sign (data1…8) read as signed of their width. */
  signed(attribute: number): bigint | undefined;
  /** bigint() as a number; undefined too when it is above 2^53. */
  number(attribute: number): number | undefined;
  flag(attribute: number): boolean;
  string(attribute: number): string | undefined;
  address(attribute: number): bigint | undefined;
  /** Blocks and expressions, and data16. */
  bytes(attribute: number): Uint8Array | undefined;
  /** The entry referred to: in this unit, another unit, a type unit by signature, the supplementary file. */
  reference(attribute: number): Die | undefined;
  /** DW_AT_low_pc/high_pc or DW_AT_ranges; empty when it has no code. */
  readonly ranges: readonly AddressRange[];
  /** DW_AT_name. */
  readonly name: string | undefined;
  /** Direct children in file order. */
  children(): Iterable<Die>;
}

/** Units of one file, found lazily. */
export interface Units {
  /** The compile unit whose code covers a link-time address: from .debug_aranges, else from the units' own ranges. */
  at(address: bigint): Unit | undefined;
  /** The unit of .debug_info that contains an offset. */
  containing(offset: number): Unit | undefined;
  /** The unit whose header is at an offset of .debug_info; the headers before it are not looked at. Throws FormatError. */
  unitAt(offset: number): Unit;
  /** All compile units of .debug_info in order. */
  all(): Iterable<Unit>;
  /** All units of any kind, of .debug_info and .debug_types, in order. */
  every(): Iterable<Unit>;
  /** The entry at an offset of .debug_info. Throws FormatError. */
  die(offset: number): Die;
}
