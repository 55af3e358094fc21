/** How far that reaches which an address leads into: a slab object, a variable, an area of vmalloc() or a module, the task's own stack. */
import { add, distance, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type VmallocArea, vmallocAreaOf } from "../../linux/vmalloc.ts";
import type { FaultCase } from "./fault-case.ts";
import { ownStack } from "./own-stack.ts";
import { slabRole } from "./samples.ts";
import { tryIdentify } from "./try-identify.ts";

/** What a base leads into: its first byte, and the byte behind its last. */
export interface Extent {
  readonly start: bigint;
  readonly end: bigint;
  /** "the object … of kmalloc-64", "the variable lab_table". */
  readonly text: string;
  /** Of a variable: its name, and whose it is. */
  readonly variable?: { readonly name: string; readonly module: string | undefined };
  readonly cache?: string;
  readonly state?: string;
}

export function isTable(kernel: Kernel, address: bigint): boolean {
  const symbol = kernel.arch.isKernelAddress(address) ? kernel.symbols.byAddress(virtual(address))?.symbol : undefined;
  return symbol !== undefined && !"tTwW".includes(symbol.type);
}

/** Areas of vmalloc() that are in use, and are no stack. */
export function areaOf(kernel: Kernel, address: bigint): VmallocArea | undefined {
  const area = kernel.arch.isKernelAddress(address) ? vmallocAreaOf(kernel, virtual(address)) : undefined;
  const isStack = tryIdentify(kernel, area?.start ?? 0n)?.roles.some(({ kind }) => kind === "task stack" || kind === "CPU stack") === true;
  return area === undefined || area.unpurged || isStack || !area.flagNames.includes("vmalloc") ? undefined : area;
}

export function extentOf(kernel: Kernel, base: bigint): Extent | undefined {
  try {
    const identity = kernel.arch.isKernelAddress(base) ? tryIdentify(kernel, base) : undefined;
    const slab = slabRole(identity);
    if (slab !== undefined) {
      if (slab.offset < 0 || slab.offset >= slab.objectSize || slab.state.state === "free") return undefined;
      const text = `the object at ${hex16(slab.object)} of ${slab.cache}, ${slab.objectSize} bytes`;
      return { start: slab.object, end: add(slab.object, slab.objectSize), text, cache: slab.cache, state: stateText(slab.state) };
    }
    if (identity?.roles.some(({ kind }) => kind === "task stack" || kind === "CPU stack") === true) return undefined;
    const variable = kernel.symbols.byAddress(virtual(base));
    if (variable !== undefined && !"tTwW".includes(variable.symbol.type)) return variableExtent(kernel, variable.symbol);
    const area = areaOf(kernel, base);
    return area === undefined ? undefined : areaExtent(kernel, area);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** All of an area. */
export function areaExtent(kernel: Kernel, { start, pageCount }: VmallocArea): Extent {
  const end = start + BigInt(pageCount) * BigInt(kernel.arch.pageSize);
  const bytes = distance(virtual(end), start);
  // Modules whose data have no symbols (CONFIG_KALLSYMS_ALL is off).
  const module = kernel.modules.find(({ base }) => base >= start && base < end)?.name;
  const what = module === undefined ? `the vmalloc area ${hex16(start)}` : `the memory of module ${module} at ${hex16(start)}`;
  return { start, end, text: `${what}, ${bytes} bytes` };
}

/** The own stack of the task, which a pointer into it was led out of; what the stack pointer itself reaches is for the stack's overflow. */
export function stackExtent(fault: FaultCase, base: bigint): Extent | undefined {
  const { subject, access } = fault;
  const { file } = fault.state.registers;
  const area = ownStack(fault);
  if (area === undefined || subject.task === undefined || base < area.start || base >= area.end) return undefined;
  const register = access.kind === "memory" ? access.culprit.base?.register : undefined;
  if (register !== undefined && register === file.names[file.sp]) return undefined;
  const { comm, pid } = subject.task;
  return { start: area.start, end: area.end, text: `the kernel stack of ${comm} (${pid}), ${area.end - area.start} bytes` };
}

/** Up to the next symbol, when the symbol itself has no size. */
function variableExtent(
  kernel: Kernel,
  {
    name,
    address,
    size,
    module,
  }: { readonly name: string; readonly address: VirtualAddress; readonly size?: number | undefined; readonly module?: string | undefined },
): Extent | undefined {
  const next = kernel.symbols.neighbours(add(address, 1)).next?.address;
  const end = size !== undefined && size > 0 ? add(address, size) : next;
  if (end === undefined) return undefined;
  const text = `the variable ${name}${module === undefined ? "" : ` [${module}]`}, ${distance(end, address)} bytes`;
  return { start: address, end, text, variable: { name, module } };
}
