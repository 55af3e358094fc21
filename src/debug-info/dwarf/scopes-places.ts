/**
 * Source places that entries name by the number of a file in their unit's line table: where something is declared (DWARF 5, section 2.14),
 * where an inlined call was made (section 3.3.8.2).
 */
import { InquestError } from "../../bytes/errors.ts";
import type { SourcePlace } from "../debug-info.ts";
import { DW_AT_call_column, DW_AT_call_file, DW_AT_call_line, DW_AT_decl_column, DW_AT_decl_file, DW_AT_decl_line } from "./constants.ts";
import type { Die, Unit } from "./die.ts";
import { holderOf } from "./scopes-origin.ts";

/** Path of a file by its number in a unit's line table; undefined when there is none. */
export type FileNames = (unit: Unit, index: number) => string | undefined;

export class SourcePlaces {
  readonly #fileName: FileNames;

  constructor(fileName: FileNames) {
    this.#fileName = fileName;
  }

  /** Where an entry, or what it is an instance of, is declared. */
  declared(die: Die): SourcePlace | undefined {
    const holder = holderOf(die, DW_AT_decl_line);
    return holder === undefined ? undefined : this.#place(holder, DW_AT_decl_file, DW_AT_decl_line, DW_AT_decl_column);
  }

  /** Where an inlined call was made. */
  called(die: Die): SourcePlace | undefined {
    return this.#place(die, DW_AT_call_file, DW_AT_call_line, DW_AT_call_column);
  }

  #place(die: Die, fileAttribute: number, lineAttribute: number, columnAttribute: number): SourcePlace | undefined {
    const line = die.number(lineAttribute);
    const index = die.number(fileAttribute);
    if (line === undefined || index === undefined) return undefined;
    const file = this.#name(die.unit, index);
    return file === undefined ? undefined : { file, line, column: die.number(columnAttribute) ?? 0 };
  }

  /** A damaged line table costs its names, not the scopes that would have shown them. */
  #name(unit: Unit, index: number): string | undefined {
    try {
      return this.#fileName(unit, index);
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  }
}
