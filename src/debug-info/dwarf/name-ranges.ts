/**
 * Lists of ranges for the function map: 10,000 functions of a kernel have one (their cold parts lie elsewhere), and the general reader
 * would parse an entry for each. DWARF 5, 2.17.3 and 7.25; DWARF 4, 2.17.3.
 *
 *   .debug_rnglists   offset_pair u u │ start_length addr u │ base_address addr │ end_of_list     relative to DW_AT_low_pc of the unit
 *   .debug_ranges     begin 8 │ end 8 │ … │ -1 │ base │ … │ 0 │ 0
 */
import type { DebugSections, SectionData } from "../debug-sections.ts";
import {
  DW_RLE_base_address,
  DW_RLE_base_addressx,
  DW_RLE_end_of_list,
  DW_RLE_offset_pair,
  DW_RLE_start_end,
  DW_RLE_start_length,
  DW_RLE_startx_endx,
  DW_RLE_startx_length,
} from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import type { UnitBases } from "./name-sink.ts";
import type { UnitTable } from "./name-units.ts";

/** More ranges than any function has. */
const MAX_RANGES = 10_000;

type Range = readonly [low: bigint, high: bigint];

export class RangeLists {
  readonly #sections: DebugSections;
  readonly #units: UnitTable;
  readonly #bases: UnitBases;
  readonly #readers = new Map<string, DwarfReader | undefined>();

  constructor(sections: DebugSections, units: UnitTable, bases: UnitBases) {
    this.#sections = sections;
    this.#units = units;
    this.#bases = bases;
  }

  /** Ranges of the list of a unit at an offset, or by DW_FORM_rnglistx. Throws FormatError when the list is damaged. */
  read(unit: number, value: number, isIndex: boolean): Range[] {
    const base = (BigInt(this.#bases.high[unit] as number) << 32n) | BigInt(this.#bases.low[unit] as number);
    if ((this.#units.version[unit] as number) < 5) return this.#version4(unit, value, base);
    const reader = this.#reader(".debug_rnglists");
    if (reader === undefined) return [];
    let at = value;
    if (isIndex) {
      const size = this.#units.offsetSize[unit] as 4 | 8;
      const table = (this.#bases.ranges[unit] as number) || (size === 8 ? 20 : 12);
      at = table + reader.seek(table + value * size).offset(size);
    }
    return this.#version5(reader.seek(at), unit, base);
  }

  #version5(reader: DwarfReader, unit: number, unitBase: bigint): Range[] {
    const size = this.#units.addressSize[unit] as number;
    const indexed = () => this.#address(unit, reader.uleb());
    const found: Range[] = [];
    let base = unitBase;
    while (found.length < MAX_RANGES) {
      const kind = reader.u8();
      switch (kind) {
        case DW_RLE_end_of_list:
          return found;
        case DW_RLE_base_addressx:
          base = indexed();
          break;
        case DW_RLE_base_address:
          base = reader.address(size);
          break;
        case DW_RLE_offset_pair: {
          const from = base + reader.uleb64();
          found.push([from, base + reader.uleb64()]);
          break;
        }
        case DW_RLE_startx_endx: {
          const from = indexed();
          found.push([from, indexed()]);
          break;
        }
        case DW_RLE_startx_length: {
          const from = indexed();
          found.push([from, from + reader.uleb64()]);
          break;
        }
        case DW_RLE_start_end: {
          const from = reader.address(size);
          found.push([from, reader.address(size)]);
          break;
        }
        case DW_RLE_start_length: {
          const from = reader.address(size);
          found.push([from, from + reader.uleb64()]);
          break;
        }
        default:
          return reader.fail(`a range list entry of kind ${kind}`);
      }
    }
    return found;
  }

  #version4(unit: number, offset: number, unitBase: bigint): Range[] {
    const reader = this.#reader(".debug_ranges")?.seek(offset);
    if (reader === undefined) return [];
    const size = this.#units.addressSize[unit] as number;
    const choice = size === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
    const found: Range[] = [];
    let base = unitBase;
    while (found.length < MAX_RANGES) {
      const from = reader.address(size);
      const to = reader.address(size);
      if (from === 0n && to === 0n) return found;
      if (from === choice) base = to;
      else found.push([base + from, base + to]);
    }
    return found;
  }

  #address(unit: number, index: number): bigint {
    const reader = this.#reader(".debug_addr");
    if (reader === undefined) return 0n;
    const size = this.#units.addressSize[unit] as number;
    return reader.seek((this.#bases.addresses[unit] as number) + index * size).address(size);
  }

  #reader(name: string): DwarfReader | undefined {
    if (!this.#readers.has(name)) this.#readers.set(name, open(this.#sections.section(name), this.#sections.file));
    return this.#readers.get(name);
  }
}

function open(section: SectionData | undefined, file: string): DwarfReader | undefined {
  return section === undefined ? undefined : new DwarfReader(section.read(0, section.size), `${file}: ${section.name}`);
}
