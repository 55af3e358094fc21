/** Packs split files into one (.dwp) with its indexes, as dwp(1) does: sections one after the other, strings offsets as they are. */
import { FieldWriter } from "./field-writer.ts";
import { MemorySections } from "./memory-sections.ts";

export interface PackedUnit {
  readonly sections: MemorySections;
  /** dwo_id or type signature. */
  readonly id: bigint;
  /** Where in the file's own .debug_info or .debug_types the unit begins. */
  readonly offset?: number;
  readonly type?: boolean;
}

const COLUMNS = {
  2: { ".debug_info": 1, ".debug_types": 2, ".debug_abbrev": 3, ".debug_line": 4, ".debug_loc": 5, ".debug_str_offsets": 6 },
  5: { ".debug_info": 1, ".debug_abbrev": 3, ".debug_line": 4, ".debug_loclists": 5, ".debug_str_offsets": 6, ".debug_rnglists": 8 },
} as const;

export function buildPackage(version: 2 | 5, units: readonly PackedUnit[]): MemorySections {
  const names = Object.keys(COLUMNS[version]);
  const writers = new Map<string, FieldWriter>(names.map((name) => [name, new FieldWriter()]));
  const starts = new Map<MemorySections, Map<string, number>>();
  const strings = new FieldWriter();
  for (const { sections } of units) {
    if (starts.has(sections)) continue;
    starts.set(sections, new Map(names.map((name) => [name, writers.get(name)!.length])));
    for (const name of names) {
      const bytes = sections.contents.get(name) ?? new Uint8Array();
      writers.get(name)!.bytes(name === ".debug_str_offsets" ? moved(bytes, strings.length, version) : bytes);
    }
    strings.bytes(sections.contents.get(".debug_str") ?? []);
  }
  const contents = new Map([...writers].map(([name, writer]) => [name, writer.finish()]));
  contents.set(".debug_str", strings.finish());
  const index = (type: boolean) =>
    buildIndex(
      version,
      units.filter((unit) => (unit.type ?? false) === type),
      starts,
    );
  contents.set(".debug_cu_index", index(false));
  contents.set(".debug_tu_index", index(true));
  return new MemorySections(contents, "vmlinux.dwp", true);
}

/** Offsets of strings, each moved; 32-bit DWARF. */
function moved(bytes: Uint8Array, by: number, version: 2 | 5): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (let at = version === 5 ? 8 : 0; at + 4 <= copy.length; at += 4) view.setUint32(at, view.getUint32(at, true) + by, true);
  return copy;
}

function buildIndex(version: 2 | 5, units: readonly PackedUnit[], starts: ReadonlyMap<MemorySections, ReadonlyMap<string, number>>) {
  const out = new FieldWriter();
  const names = Object.entries(COLUMNS[version]).filter(([name]) => {
    // A row tells of units in .debug_info or in .debug_types.
    const types = version === 2 && units.some(({ type }) => type);
    return types ? name !== ".debug_info" : name !== ".debug_types";
  });
  // Half full, so that units collide.
  const slots = 2 ** Math.ceil(Math.log2(Math.max(1, units.length) * 2));
  const table = new Array<number>(slots).fill(0);
  units.forEach(({ id }, row) => {
    let slot = Number(id & BigInt(slots - 1));
    while (table[slot] !== 0) slot = (slot + (Number((id >> 32n) & BigInt(slots - 1)) | 1)) & (slots - 1);
    table[slot] = row + 1;
  });
  out.u32(version).u32(names.length).u32(units.length).u32(slots);
  for (const row of table) out.fixed(row === 0 ? 0 : units[row - 1]!.id, 8);
  for (const row of table) out.u32(row);
  for (const [, column] of names) out.u32(column);
  for (const { sections, offset = 0 } of units)
    for (const [name, column] of names) out.u32(starts.get(sections)!.get(name)! + (column <= 2 ? offset : 0));
  for (const _ of units) for (const _ of names) out.u32(0);
  return out.finish();
}
