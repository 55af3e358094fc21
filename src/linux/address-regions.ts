/**
 * The parts of the address space, from the dead kernel's own values: KASLR moves most of them.
 *
 *   x86-64 (Documentation/arch/x86/x86_64/mm.rst), four levels / five levels
 *     ffff888000000000 / ff11000000000000   linear map: page_offset_base, 64 TiB / 32 PiB
 *     ffffc90000000000 / ffa0000000000000   vmalloc: vmalloc_base, 32 TiB / 12.5 PiB
 *     ffffea0000000000 / ffd4000000000000   vmemmap: vmemmap_base, 1 TiB / 0.5 PiB
 *     ffffec0000000000 / ffdf000000000000   KASAN's shadow, to fffffbffffffffff
 *     fffffe0000000000 cpu_entry_area   ffffff0000000000 %esp fix-up stacks   ffffffef00000000 EFI
 *     ffffffff80000000 kernel image (KERNEL_IMAGE_SIZE), modules to ffffffffff000000, fixmap, ffffffffff600000 vsyscall
 *   arm64 (Documentation/arch/arm64/memory.rst), 5.4 and newer; before, the linear map is the upper half
 *     −2^VA_BITS linear map … −2^(min(VA_BITS,48)−1) modules, vmalloc (with the image in it), fixmap, PCI I/O, vmemmap
 *     VMCOREINFO gives MODULES_VADDR, MODULES_END, VMALLOC_START, VMALLOC_END, VMEMMAP_START, VMEMMAP_END since 5.19 (2369f171d5c5)
 *
 * The first range that holds an address counts: the image and the modules lie within larger ranges.
 */
import { add, alignUp, distance, physical, signed, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AddressRegion } from "./address-identity.ts";
import { MAX_ERRNO } from "./errno.ts";
import { PageMap } from "./page.ts";
import { poisonOf } from "./poison.ts";
import { vmallocAreaOf } from "./vmalloc.ts";

/** A part of the address space. */
export interface RegionRange {
  readonly region: AddressRegion;
  /** Which part of it, or which fixed region. */
  readonly name?: string;
  readonly start: VirtualAddress;
  /** Exclusive; 0 stands for the end of the address space. */
  readonly end: bigint;
}

const TIB = 1n << 40n;
const MIB = 1n << 20n;
const TOP = 1n << 64n;
/** Addresses below belong to no mapping (mmap_min_addr): NULL plus the offset of a member. */
const NULL_END = 4096n;

export class AddressRegions {
  /** In the order in which they are asked. */
  readonly ranges: readonly RegionRange[];
  readonly #kernel: Kernel;
  readonly #userEnd: bigint;
  readonly #pageShift: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#pageShift = kernel.arch.pageShift;
    const x86 = kernel.arch.name === "x86_64";
    this.#userEnd = 1n << BigInt(x86 ? kernel.arch.virtualBits - 1 : Math.max(kernel.arch.virtualBits, 48));
    const fixed = x86 ? x86Ranges(kernel) : arm64Ranges(kernel);
    this.ranges = [...imageRanges(kernel), ...moduleRanges(kernel), ...fixed];
  }

  static of(kernel: Kernel): AddressRegions {
    return kernel.memo(AddressRegions, () => new AddressRegions(kernel));
  }

  /** Region of any 64-bit word. `name`: which part. */
  of(word: bigint): { readonly region: AddressRegion; readonly name?: string } {
    const address = BigInt.asUintN(64, word);
    if (address < NULL_END) return { region: "null" };
    if (address >= TOP - BigInt(MAX_ERRNO)) return { region: "error pointer" };
    if (poisonOf(address) !== undefined) return { region: "poison" };
    const plain = this.#kernel.arch.stripPointer(address);
    if (!this.#kernel.arch.isKernelAddress(plain)) return { region: plain < this.#userEnd ? "user" : "non-canonical" };
    for (const { region, name, start, end } of this.ranges) {
      if (plain >= start && (end === 0n || plain < end)) return name === undefined ? { region } : { region, name };
    }
    return { region: "unknown" };
  }

  /** The kernel's image; undefined when it has no symbols that tell. */
  get image(): { readonly start: VirtualAddress; readonly end: VirtualAddress } | undefined {
    return imageBounds(this.#kernel);
  }

  /** The physical address behind one of the linear map, whether or not there is memory; undefined elsewhere. */
  linearPhysical(address: bigint): bigint | undefined {
    const linear = this.#kernel.arch.linearOffset;
    if (linear === undefined || this.of(address).region !== "linear map") return undefined;
    const at = BigInt.asUintN(64, address - linear);
    return at < 1n << BigInt(52 + (this.#pageShift > 12 ? 4 : 0)) ? at : undefined;
  }
}

/** Bounds of the image's parts; the first pair whose symbols exist. Several kernels lack some of them. */
const IMAGE_PARTS: readonly (readonly [name: string, start: string, end: string])[] = [
  ["text", "_stext", "_etext"],
  ["read-only data", "__start_rodata", "__end_rodata"],
  ["init", "__init_begin", "__init_end"],
  ["data", "_sdata", "_edata"],
  ["bss", "__bss_start", "__bss_stop"],
];

/** Parts of the image, then the whole of it. */
function imageRanges(kernel: Kernel): RegionRange[] {
  const parts = IMAGE_PARTS.flatMap(([name, first, last]): RegionRange[] => {
    const start = kernel.tryAddress(first);
    const end = kernel.tryAddress(last);
    return start === undefined || end === undefined || end <= start ? [] : [{ region: "kernel image", name, start, end }];
  });
  const whole = imageBounds(kernel);
  return whole === undefined ? parts : [...parts, { region: "kernel image", ...whole }];
}

/** From _text to _end; without data symbols from the first to the last symbol, to the end of the last one's page. */
function imageBounds(kernel: Kernel): { readonly start: VirtualAddress; readonly end: VirtualAddress } | undefined {
  const start = kernel.tryAddress("_text") ?? kernel.tryAddress("_stext") ?? kernel.vmcoreinfo?.symbol("_stext");
  if (start === undefined) return undefined;
  const end = kernel.tryAddress("_end") ?? lastSegment(kernel, virtual(start)) ?? lastSymbol(kernel, virtual(start));
  return end === undefined || end <= start ? undefined : { start: virtual(start), end };
}

/** An image is at most 1 GiB (KERNEL_IMAGE_SIZE); symbols beyond belong to modules. */
const MAX_IMAGE = 1 << 30;

/** arm64 enters the image's segments among the vmalloc areas (declare_vma() of arch/arm64/mm/mmu.c), each behind the other. */
function lastSegment(kernel: Kernel, start: VirtualAddress): VirtualAddress | undefined {
  if (kernel.arch.name === "x86_64") return undefined;
  let end: VirtualAddress | undefined;
  for (let at = start, more = true; more; ) {
    const area = vmallocAreaOf(kernel, at);
    more =
      area !== undefined &&
      area.end > at &&
      distance(area.end, start) < MAX_IMAGE &&
      /^(paging_init|map_kernel|declare_)/.test(kernel.symbolize(area.caller) ?? "");
    if (area !== undefined && more) {
      end = area.end;
      at = area.end;
    }
  }
  return end;
}

function lastSymbol(kernel: Kernel, start: VirtualAddress): VirtualAddress | undefined {
  const { symbols } = kernel;
  for (let index = symbols.count - 1; index >= 0; index--) {
    const { address, module, type } = symbols.at(index);
    const behind = distance(address, start);
    if (module === undefined && !"aA".includes(type) && behind >= 0 && behind < MAX_IMAGE)
      return alignUp(add(address, 1), BigInt(kernel.arch.pageSize));
  }
  return undefined;
}

function moduleRanges(kernel: Kernel): RegionRange[] {
  return kernel.modules.flatMap((module) =>
    module.regions.map(
      ({ kind, start, size }): RegionRange => ({ region: "modules", name: `${module.name} ${kind}`, start, end: add(start, size) }),
    ),
  );
}

/** The value of a kernel variable that holds an address, or of a VMCOREINFO number. */
function base(kernel: Kernel, symbol: string, number?: string): bigint | undefined {
  const told = number === undefined ? undefined : kernel.vmcoreinfo?.number(number);
  if (told !== undefined && told !== 0n) return BigInt.asUintN(64, told);
  const address = kernel.tryAddress(symbol);
  const value = address === undefined ? undefined : kernel.memory.tryU64(address);
  return value === undefined || !kernel.arch.isKernelAddress(value) ? undefined : value;
}

function x86Ranges(kernel: Kernel): RegionRange[] {
  const five = kernel.arch.virtualBits === 57;
  const at = (region: AddressRegion, start: bigint, size: bigint, name?: string): RegionRange => ({
    region,
    start: virtual(start),
    end: BigInt.asUintN(64, start + size),
    ...(name === undefined ? {} : { name }),
  });
  const imageSize = kernel.vmcoreinfo?.number("KERNEL_IMAGE_SIZE") ?? (kernel.arch.kaslrOffset === 0n ? 512n * MIB : 1024n * MIB);
  const imageMap = 0xffff_ffff_8000_0000n;
  const fixmapEnd = 0xffff_ffff_ff60_0000n;
  const moduleEnd = 0xffff_ffff_ff00_0000n;
  const linear = kernel.arch.linearOffset;
  const vmalloc = base(kernel, "vmalloc_base", "VMALLOC_START") ?? (five ? 0xffa0_0000_0000_0000n : 0xffff_c900_0000_0000n);
  const vmemmap = base(kernel, "vmemmap_base") ?? PageMap.of(kernel)?.pageOf(0) ?? (five ? 0xffd4_0000_0000_0000n : 0xffff_ea00_0000_0000n);
  const vmallocSize = five ? 12800n * TIB : 32n * TIB;
  const ranges = [
    at("kernel image", imageMap, imageSize, "mapping around the image"),
    at("modules", imageMap + imageSize, moduleEnd - imageMap - imageSize),
    at("fixed", moduleEnd, fixmapEnd - moduleEnd, "fixmap"),
    at("fixed", fixmapEnd, 0x1000n, "vsyscall page"),
    at("vmalloc", vmalloc, vmalloc + vmallocSize > vmemmap && vmalloc < vmemmap ? vmemmap - vmalloc : vmallocSize),
    at("vmemmap", vmemmap, five ? 512n * TIB : TIB),
  ];
  if (linear !== undefined) {
    const size = five ? 32768n * TIB : 64n * TIB;
    ranges.push(at("linear map", linear, linear < vmalloc && linear + size > vmalloc ? vmalloc - linear : size));
  }
  if (kernel.tryAddress("kasan_early_shadow_page") !== undefined || kernel.tryAddress("kasan_init") !== undefined) {
    const start = five ? 0xffdf_0000_0000_0000n : 0xffff_ec00_0000_0000n;
    ranges.push(at("fixed", start, 0xffff_fc00_0000_0000n - start, "KASAN shadow"));
  }
  return [
    ...ranges,
    at("fixed", 0xffff_fe00_0000_0000n, TIB / 2n, "cpu_entry_area"),
    at("fixed", 0xffff_ff00_0000_0000n, TIB / 2n, "%esp fix-up stacks"),
    at("fixed", 0xffff_ffef_0000_0000n, 64n << 30n, "EFI runtime services"),
    at("fixed", five ? 0xff10_0000_0000_0000n : 0xffff_8800_0000_0000n, five ? 256n * TIB : TIB / 2n, "LDT remap"),
    at(
      "fixed",
      five ? 0xff00_0000_0000_0000n : 0xffff_8000_0000_0000n,
      five ? 4096n * TIB : 8n * TIB,
      "guard hole, reserved for a hypervisor",
    ),
  ];
}

function arm64Ranges(kernel: Kernel): RegionRange[] {
  const { arch, vmcoreinfo } = kernel;
  const number = (name: string) => {
    const value = vmcoreinfo?.number(name);
    return value === undefined ? undefined : BigInt.asUintN(64, value);
  };
  const range = (region: AddressRegion, start: bigint | undefined, end: bigint | undefined): RegionRange[] =>
    start === undefined || end === undefined ? [] : [{ region, start: virtual(start), end: BigInt.asUintN(64, end) }];
  // Where the halves meet: VA_BITS_MIN is 48 at the most.
  const middle = virtual(-(1n << BigInt(Math.min(arch.virtualBits, 48) - 1)));
  const map = PageMap.of(kernel);
  const firstRam = kernel.dump.ranges[0]?.start ?? 0n;
  const linearStart = arch.toLinear(physical(firstRam));
  const flipped = linearStart !== undefined && signed(linearStart) >= signed(middle);
  const pages = map?.pageOf(Math.floor(Number(firstRam) / arch.pageSize));
  const pagesEnd = map === undefined ? undefined : map.pageOf(map.maxPfn);
  const vmemmapStart = flipped ? pages : number("VMEMMAP_START");
  const vmemmap = range("vmemmap", vmemmapStart ?? pages, number("VMEMMAP_END") ?? pagesEnd);
  if (flipped) {
    // Before 5.4: modules at the bottom (128 MiB, behind KASAN's shadow), vmalloc, vmemmap, then the linear map in the upper half.
    return [...vmemmap, ...range("vmalloc", arch.kernelStart, pages ?? middle), ...range("linear map", middle, 0n)];
  }
  // Behind the linear map 128 MiB for BPF until 5.14 (b89ddf4cca43), and 128 MiB of modules, 2 GiB since 6.5 (3e35d303ab7d).
  const modules = number("MODULES_VADDR") ?? middle + 128n * MIB;
  const modulesEnd = number("MODULES_END") ?? middle + 256n * MIB;
  return [
    ...range("linear map", arch.kernelStart, middle),
    ...(number("MODULES_VADDR") === undefined ? range("fixed", middle, modules).map((each) => ({ ...each, name: "BPF" })) : []),
    ...range("modules", modules, modulesEnd),
    // VMEMMAP_START of a 52-bit kernel that runs with 48 lies inside vmalloc; its pages lie behind.
    ...range("vmalloc", number("VMALLOC_START") ?? modulesEnd, number("VMALLOC_END") ?? pages),
    ...vmemmap,
    ...range("fixed", middle, 0n).map((each) => ({ ...each, name: "fixmap, PCI I/O or guard" })),
  ];
}
