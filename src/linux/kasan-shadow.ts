/**
 * KASAN's shadow memory of generic mode: one byte tells of 8 bytes of memory (mm/kasan/kasan.h, Documentation/dev-tools/kasan.rst).
 *
 *   shadow byte of an address = *(KASAN_SHADOW_OFFSET + (address >> 3))        0: all 8 bytes may be used; 0xfa, 0xfb: freed slab memory
 *
 * A freed object first waits in the quarantine, where the allocator still counts it as in use: only its shadow says that it is free.
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** KASAN_SLAB_FREE (KASAN_KMALLOC_FREE before 5.19), and the same with a track inside the object: KASAN_SLAB_FREETRACK, _FREE_META (6.8). */
const FREED = [0xfb, 0xfa];

/** CONFIG_KASAN_SHADOW_OFFSET by machine: arch/x86/Kconfig; arch/arm64/Kconfig for 52 and 48, 47, 42, 39, 36 bits of virtual addresses. */
const OFFSETS: Readonly<Record<string, readonly bigint[]>> = {
  x86_64: [0xdffffc0000000000n],
  aarch64: [0xdfff800000000000n, 0xdfffc00000000000n, 0xdffffe0000000000n, 0xdfffffc000000000n, 0xdffffff800000000n],
};

/** The addresses that shadow memory may be counted from on a machine: constants of the code that checks it inline. */
export function kasanShadowOffsets(machine: string): readonly bigint[] {
  return OFFSETS[machine] ?? [];
}

/** The shadow byte of an address; undefined without generic KASAN or where it cannot be read. */
export function kasanShadow(kernel: Kernel, address: VirtualAddress): number | undefined {
  const offset = kernel.memo(kasanShadow, () => shadowOffset(kernel));
  return offset === undefined ? undefined : kernel.memory.tryBytes(virtual(offset + (address >> 3n)), 1)?.[0];
}

/** True when KASAN says that the object's memory was freed; undefined without generic KASAN or where its shadow cannot be read. */
export function kasanFreed(kernel: Kernel, object: VirtualAddress): boolean | undefined {
  const byte = kasanShadow(kernel, object);
  return byte === undefined ? undefined : FREED.includes(byte);
}

/** The offset whose shadow of known memory is mapped: a wrong one leads outside of it. */
function shadowOffset(kernel: Kernel): bigint | undefined {
  if (kernel.types.tryStruct("kmem_cache")?.has("kasan_info") !== true) return undefined;
  // The quarantine exists in generic mode only.
  if (kernel.types.tryStruct("kasan_free_meta") === undefined) return undefined;
  const known = kernel.tryAddress("init_task") ?? kernel.tryAddress("_text");
  if (known === undefined) return undefined;
  return OFFSETS[kernel.arch.name]?.find((offset) => kernel.memory.tryBytes(virtual(offset + (known >> 3n)), 1)?.[0] === 0);
}
