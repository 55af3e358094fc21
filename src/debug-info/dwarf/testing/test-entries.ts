/** Entries and units of made-up debug information as a test writes them down; build-dwarf.ts makes bytes of them. */
import type { TestList } from "./build-lists.ts";

/** Stands for the offset that an attribute such as DW_AT_str_offsets_base must have. */
export const base = Symbol("base");

export type TestValue = string | number | bigint | boolean | Uint8Array | readonly number[] | TestDie | TestList | typeof base;
export type TestAttribute = readonly [attribute: number, value: TestValue, form?: number];

export interface TestDie {
  readonly tag: number;
  readonly attributes: readonly TestAttribute[];
  readonly children: readonly TestDie[];
}

export interface TestUnit {
  readonly root: TestDie;
  readonly version?: 2 | 3 | 4 | 5;
  readonly offsetSize?: 4 | 8;
  readonly addressSize?: 4 | 8;
  /** DW_UT_ number of version 5, default compile; in version 4 DW_UT_type goes to .debug_types. */
  readonly type?: number;
  /** Type units: signature and the entry that is the type. */
  readonly signature?: bigint;
  readonly typeDie?: TestDie;
  /** dwo_id in the header of skeletons and split units of version 5. */
  readonly id?: bigint;
  /** Gives entries with children a DW_AT_sibling, as GCC does. */
  readonly siblings?: boolean;
  /** Ranges in .debug_aranges as address and length. */
  readonly aranges?: readonly (readonly [bigint, number])[];
}

export interface TestFile {
  readonly file?: string;
  /** A .dwo or .dwp. */
  readonly split?: boolean;
  /** Sections of other builders. */
  readonly sections?: Record<string, Uint8Array>;
}

export function die(tag: number, attributes: readonly TestAttribute[] = [], ...children: TestDie[]): TestDie {
  return { tag, attributes, children };
}
