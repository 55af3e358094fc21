/**
 * Symbols that kallsyms lacks on kernels without CONFIG_KALLSYMS_ALL (Debian 11's arm64 is one): functions are listed, variables are
 * not. Exported variables come from __ksymtab, found by the shape of its entries.
 */
import type { KernelSymbol, SymbolTable } from "../debug-info/symbols.ts";
import type { AddressSpace } from "./address-space.ts";
import type { ImageChunk } from "./kernel-image.ts";
import type { Types } from "./types.ts";

export interface ExtraSymbolsInput {
  readonly memory: AddressSpace;
  readonly types: Types;
  readonly kallsyms: SymbolTable;
  /** Filled with what is found. */
  readonly extra: Map<string, KernelSymbol>;
  readonly image: () => Iterable<ImageChunk>;
  readonly notes: string[];
}

export function findExtraSymbols(_input: ExtraSymbolsInput): void {}
