/**
 * Variables of modules by name, for kernels whose kallsyms list functions only (no CONFIG_KALLSYMS_ALL): from the debug files of modules
 * that are in use. None is searched for here: every name that nothing knows would have all of them opened.
 */
import { virtual } from "../bytes/address.ts";
import { sizeOf } from "../debug-info/c-type.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import type { KernelDebugInfo } from "./debug-info.ts";

/** The variable as a symbol; undefined when no module's file in use defines it outside a function. */
export function moduleVariable(debugInfo: KernelDebugInfo, name: string): KernelSymbol | undefined {
  for (const { module, info, bias } of debugInfo.files) {
    if (module === undefined) continue;
    const found = info.variables(name).find(({ address, scope }) => address !== undefined && scope === undefined);
    if (found?.address === undefined) continue;
    return { name, address: virtual(found.address + bias), type: found.external ? "D" : "d", module, size: sizeOf(found.type) };
  }
  return undefined;
}
