/** The symbol that a word points into, as `<init_task+2192>` behind a pointer and `rd -s` show it. */
import type { Kernel } from "../../kernel/kernel.ts";
import { symbolPlaces } from "../../linux/symbol-place.ts";
import type { Labeller } from "./read-value.ts";

/** Namer of addresses for value nodes and memory dumps. */
export function symbolLabeller(kernel: Kernel): Labeller {
  const place = symbolPlaces(kernel);
  return (address, text) => {
    const found = place(address, text);
    if (found === undefined) return undefined;
    const { symbol, offset } = found;
    return symbol.module === undefined ? { name: symbol.name, offset } : { name: symbol.name, offset, module: symbol.module };
  };
}
