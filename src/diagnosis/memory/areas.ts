/** Areas of vmalloc() that hold pages, by who asked for them: the kernel notes the caller of each (vm_struct.caller). */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type VmallocArea, vmallocAreas } from "../../linux/vmalloc.ts";
import { plainName } from "../fault/words.ts";
import { guarded } from "../guarded.ts";

export interface Caller {
  readonly function: string;
  readonly module: string | undefined;
  readonly areas: VmallocArea[];
  pages: number;
}

/** Areas that hold pages, by the function that asked for them, the largest first. */
export function areasByCaller(kernel: Kernel): readonly Caller[] {
  return kernel.memo(areasByCaller, () => {
    const found = new Map<string, Caller>();
    for (const area of guarded(() => vmallocAreas(kernel))?.busy ?? []) {
      if (area.pageCount === 0 || area.caller === 0n || !area.flagNames.includes("vmalloc")) continue;
      const symbol = kernel.symbols.byAddress((area.caller - 1n) as VirtualAddress)?.symbol;
      const name = symbol === undefined ? hex16(area.caller) : plainName(symbol.name);
      const key = `${name} ${symbol?.module ?? ""}`;
      const known = found.get(key) ?? { function: name, module: symbol?.module, areas: [], pages: 0 };
      known.areas.push(area);
      known.pages += area.pageCount;
      found.set(key, known);
    }
    return [...found.values()].sort((a, b) => b.pages - a.pages);
  });
}
