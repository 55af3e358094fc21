/** Composes ORC tables of each version: orc_unwind_ip, then orc_unwind, at one address. */
import { add, virtual } from "../../bytes/address.ts";
import { ByteWriter } from "../../bytes/testing/byte-writer.ts";
import type { OrcEntry, OrcLocation, OrcRegister, OrcType, OrcVersion } from "../orc.ts";

/** Numbers of the registers, written down apart from the reader's tables. */
const OLD: Partial<Record<OrcRegister, number>> = {
  undefined: 0,
  prev_sp: 1,
  dx: 2,
  di: 3,
  bp: 4,
  sp: 5,
  r10: 6,
  r13: 7,
  bp_indirect: 8,
  sp_indirect: 9,
  ax: 10,
};
const NEW: Partial<Record<OrcRegister, number>> = {
  undefined: 0,
  ax: 1,
  dx: 2,
  sp: 3,
  bp: 4,
  di: 5,
  r10: 6,
  r13: 7,
  prev_sp: 8,
  sp_indirect: 9,
  bp_indirect: 10,
};
const NEW_TYPES: Partial<Record<OrcType, number>> = { undefined: 0, end_of_stack: 1, call: 2, regs: 3, regs_partial: 4 };
const OLD_TYPES: Partial<Record<OrcType, number>> = { call: 0, regs: 1, regs_partial: 2, undefined: 0, end_of_stack: 0 };

export function orcFlags(entry: OrcEntry, version: OrcVersion): number {
  const registers = version === 4 ? NEW : OLD;
  const base = (registers[entry.spReg] ?? 15) | ((registers[entry.bpReg] ?? 15) << 4);
  if (version >= 3) return base | ((NEW_TYPES[entry.type] ?? 7) << 8) | (entry.signal ? 0x800 : 0);
  const end = entry.type === "end_of_stack" ? (version === 1 ? 0x400 : 0x800) : 0;
  const signal = version === 2 && entry.signal ? 0x400 : 0;
  return base | ((OLD_TYPES[entry.type] ?? 3) << 8) | signal | end;
}

export function buildOrc(
  entries: readonly (readonly [bigint, OrcEntry])[],
  start: bigint,
  version: OrcVersion,
): { image: Uint8Array; location: OrcLocation } {
  const out = new ByteWriter();
  entries.forEach(([address], i) => {
    out.u32(i * 4, Number(BigInt.asUintN(32, address - (start + BigInt(i * 4)))));
  });
  const first = out.length;
  entries.forEach(([, entry], i) => {
    const at = first + i * 6;
    out
      .u16(at, entry.spOffset & 0xffff)
      .u16(at + 2, entry.bpOffset & 0xffff)
      .u16(at + 4, orcFlags(entry, version));
  });
  return { image: out.finish(), location: { ip: virtual(start), entries: add(virtual(start), first), count: entries.length } };
}
