/**
 * What an address operand of `kmem -f -p -m -v` means: a page pointer, a kernel virtual address or a physical one.
 *
 *   ffffea0000004800   page pointer (in the mem_map)   the frame that it describes
 *   ffff888000120000   kernel virtual                  the frame behind it
 *   120000, -P         physical
 */
import { type PhysicalAddress, pageNumber, physical, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PageMap } from "../../linux/page.ts";
import { parseAddress, parseHex } from "../support/numbers.ts";

export interface PhysicalOperand {
  /** As it was given. */
  readonly address: bigint;
  /** Absent for a physical address. */
  readonly virtual?: VirtualAddress;
  /** Absent for a virtual address that is not mapped. */
  readonly physical?: PhysicalAddress;
  /** Why there is none. */
  readonly reason?: string;
}

/** @param isPhysical with -P. Throws UsageError for what is no address. */
export function operandPhysical(kernel: Kernel, text: string, isPhysical: boolean): PhysicalOperand {
  const value = isPhysical ? parseHex(text) : parseAddress(kernel, text);
  if (isPhysical || !kernel.arch.isKernelAddress(value)) return { address: value, physical: physical(value) };
  const address = kernel.arch.stripPointer(virtual(value));
  try {
    return { address: value, virtual: address, physical: kernel.memory.translate(address) };
  } catch (error) {
    if (error instanceof InquestError) return { address: value, virtual: address, reason: error.message };
    throw error;
  }
}

export interface FrameOperand {
  /** As it was given. */
  readonly address: bigint;
  readonly pfn?: number;
  /** Why it names no frame. */
  readonly reason?: string;
}

/** The frame that an operand names. Throws UsageError for what is no address. */
export function operandFrame(kernel: Kernel, text: string, isPhysical: boolean): FrameOperand {
  const found = operandPhysical(kernel, text, isPhysical);
  const map = PageMap.of(kernel);
  const described = found.virtual === undefined ? undefined : frameOfPage(map, found.virtual);
  if (described !== undefined) return { address: found.address, pfn: described };
  if (found.physical === undefined) return { address: found.address, reason: found.reason ?? "it is not mapped" };
  return { address: found.address, pfn: pageNumber(found.physical, kernel.arch.pageShift) };
}

/** Frame of the page structure that an address lies in. */
function frameOfPage(map: PageMap | undefined, address: VirtualAddress): number | undefined {
  const first = map?.pageOf(0);
  if (map === undefined || first === undefined || address < first) return map?.pfnOf(address);
  const pfn = Number((address - first) / BigInt(map.size));
  return pfn < map.maxPfn ? pfn : undefined;
}
