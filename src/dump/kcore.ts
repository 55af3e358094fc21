/**
 * /proc/kcore: the memory of the running kernel as an ELF core (kernel fs/proc/kcore.c). Its notes carry VMCOREINFO since 4.19. Its size
 * is that of the address space, not of anything stored, and its memory changes while it is read.
 *
 *   p_paddr   RAM and kernel text: the physical address (since 4.11)     vmalloc, modules, vmemmap: all ones     before 4.11: 0
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import type { Dump } from "./dump.ts";
import { openElfCore } from "./elf-core.ts";
import { type ElfSegments, PT_LOAD } from "./elf-segments.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Direct map of x86-64 with four levels, before it could be moved (4.8 with RANDOMIZE_MEMORY and later kernels fill p_paddr). */
const OLD_DIRECT_MAP = 0xffff_8800_0000_0000n;
const OLD_DIRECT_MAP_END = 0xffff_c800_0000_0000n;

/** True for the file name of the live kernel's memory. */
export function isKcorePath(path: string): boolean {
  return /^\/proc\/(\d+\/root\/proc\/|self\/root\/proc\/)?kcore$/.test(path);
}

/** Opens /proc/kcore. */
export function openKcore(source: ByteSource): Dump {
  return openElfCore(source, { live: true, physicalOf: kcorePhysical });
}

function kcorePhysical(segments: ElfSegments, index: number): bigint | undefined {
  const physical = segments.physicals[index] as bigint;
  if (physical === ALL_ONES) return undefined;
  if (physical !== 0n) return physical;
  const virtual = segments.virtuals[index] as bigint;
  if (everyPhysicalIsZero(segments)) {
    return virtual >= OLD_DIRECT_MAP && virtual < OLD_DIRECT_MAP_END ? virtual - OLD_DIRECT_MAP : undefined;
  }
  // Physical address 0 is RAM only when it is the start of the direct map.
  return virtual % (1n << 30n) === 0n ? physical : undefined;
}

function everyPhysicalIsZero(segments: ElfSegments): boolean {
  for (let i = 0; i < segments.count; i++) if (segments.types[i] === PT_LOAD && segments.physicals[i] !== 0n) return false;
  return true;
}
