/**
 * Operations of DWARF expressions. DWARF 5, section 7.7.1, table 7.9; GNU's extensions from GCC's include/dwarf2.def. Those that became
 * standard in version 5 bear the standard name, and `STANDARD` leads from GNU's number to it.
 *
 *   0x03 addr … 0x2f skip │ 0x30–4f lit0–31 │ 0x50–6f reg0–31 │ 0x70–8f breg0–31 │ 0x90 regx … 0xa9 reinterpret │ 0xe0–ff vendors
 */

export const OP = {
  addr: 0x03,
  deref: 0x06,
  const1u: 0x08,
  const1s: 0x09,
  const2u: 0x0a,
  const2s: 0x0b,
  const4u: 0x0c,
  const4s: 0x0d,
  const8u: 0x0e,
  const8s: 0x0f,
  constu: 0x10,
  consts: 0x11,
  dup: 0x12,
  drop: 0x13,
  over: 0x14,
  pick: 0x15,
  swap: 0x16,
  rot: 0x17,
  xderef: 0x18,
  abs: 0x19,
  and: 0x1a,
  div: 0x1b,
  minus: 0x1c,
  mod: 0x1d,
  mul: 0x1e,
  neg: 0x1f,
  not: 0x20,
  or: 0x21,
  plus: 0x22,
  plus_uconst: 0x23,
  shl: 0x24,
  shr: 0x25,
  shra: 0x26,
  xor: 0x27,
  bra: 0x28,
  eq: 0x29,
  ge: 0x2a,
  gt: 0x2b,
  le: 0x2c,
  lt: 0x2d,
  ne: 0x2e,
  skip: 0x2f,
  lit0: 0x30,
  reg0: 0x50,
  breg0: 0x70,
  regx: 0x90,
  fbreg: 0x91,
  bregx: 0x92,
  piece: 0x93,
  deref_size: 0x94,
  xderef_size: 0x95,
  nop: 0x96,
  push_object_address: 0x97,
  call2: 0x98,
  call4: 0x99,
  call_ref: 0x9a,
  form_tls_address: 0x9b,
  call_frame_cfa: 0x9c,
  bit_piece: 0x9d,
  implicit_value: 0x9e,
  stack_value: 0x9f,
  implicit_pointer: 0xa0,
  addrx: 0xa1,
  constx: 0xa2,
  entry_value: 0xa3,
  const_type: 0xa4,
  regval_type: 0xa5,
  deref_type: 0xa6,
  xderef_type: 0xa7,
  convert: 0xa8,
  reinterpret: 0xa9,
  GNU_push_tls_address: 0xe0,
  GNU_uninit: 0xf0,
  GNU_parameter_ref: 0xfa,
  GNU_variable_value: 0xfd,
} as const;

/** GNU's numbers of operations that DWARF 5 took over unchanged. */
const STANDARD: ReadonlyMap<number, number> = new Map([
  [0xf2, OP.implicit_pointer],
  [0xf3, OP.entry_value],
  [0xf4, OP.const_type],
  [0xf5, OP.regval_type],
  [0xf6, OP.deref_type],
  [0xf7, OP.convert],
  [0xf9, OP.reinterpret],
  [0xfb, OP.addrx],
  [0xfc, OP.constx],
]);

/** The standard number of an operation. */
export function standardOperation(operation: number): number {
  return STANDARD.get(operation) ?? operation;
}

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(OP).map(([name, number]) => [number, name]));

/** "DW_OP_entry_value", "DW_OP_breg5"; the bare number for one that is not known. */
export function operationName(operation: number): string {
  for (const [name, first] of [
    ["lit", OP.lit0],
    ["reg", OP.reg0],
    ["breg", OP.breg0],
  ] as const) {
    if (operation >= first && operation < first + 32) return `DW_OP_${name}${operation - first}`;
  }
  const name = NAMES.get(operation);
  return name === undefined ? `DWARF operation 0x${operation.toString(16)}` : `DW_OP_${name}`;
}
