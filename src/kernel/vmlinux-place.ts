/**
 * Where a vmlinux lies in the dead kernel: the distance between its link-time addresses and where KASLR put the image, and which symbol
 * table serves. The distance comes from the first of these that answers:
 *
 *   the dump's own symbol `_text` against the first text section of the file (`.head.text` on arm64, `.text` on x86-64)
 *   VMCOREINFO: SYMBOL(_stext) against the file's symbol; KERNELOFFSET
 *   the file's `Linux version …` found in the kernel image
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { FormatError } from "../bytes/errors.ts";
import type { Kallsyms } from "../debug-info/kallsyms.ts";
import type { SymbolTable } from "../debug-info/symbols.ts";
import type { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { Memory } from "./address-space.ts";
import type { VmlinuxFile } from "./debug-info.ts";
import type { ImageChunk } from "./kernel-image.ts";
import { ShiftedSymbols } from "./shifted-symbols.ts";

export interface PlaceInput {
  readonly vmlinux: VmlinuxFile;
  readonly kallsyms: SymbolTable | undefined;
  readonly memory: Memory;
  readonly image: () => Iterable<ImageChunk>;
  readonly info: VmcoreInfo | undefined;
  /** The dump, for the error. */
  readonly file: string;
}

/** Runtime minus link-time address. Throws FormatError when nothing in the dump tells. */
export function linkBias(input: PlaceInput): bigint {
  const bias = bySection(input) ?? byVmcoreinfo(input) ?? byBanner(input);
  if (bias === undefined)
    throw new FormatError(input.file, `where the kernel of ${input.vmlinux.path} lay in memory cannot be told: its _text was not found`);
  return bias;
}

function bySection({ vmlinux, kallsyms }: PlaceInput): bigint | undefined {
  const text = kallsyms?.byName("_text")?.address;
  const section = (vmlinux.section(".head.text") ?? vmlinux.section(".text"))?.address;
  return text === undefined || section === undefined ? undefined : text - section;
}

function byVmcoreinfo({ vmlinux, info }: PlaceInput): bigint | undefined {
  const stext = info?.symbol("_stext");
  const linked = stext === undefined ? undefined : vmlinux.symbols?.byName("_stext")?.address;
  if (stext !== undefined && linked !== undefined) return stext - linked;
  const offset = info?.get("KERNELOFFSET");
  return offset !== undefined && /^[0-9a-f]{1,16}$/i.test(offset) ? BigInt(`0x${offset}`) : undefined;
}

/** The banner may stand in the image more than once (`linux_proc_banner`, the compressed one does not): the whole line must fit. */
function byBanner({ vmlinux, memory, image }: PlaceInput): bigint | undefined {
  const linked = vmlinux.symbols?.byName("linux_banner")?.address;
  if (linked === undefined || vmlinux.banner === undefined) return undefined;
  const text = new TextEncoder().encode(vmlinux.banner.trimEnd());
  for (const { address, bytes } of image()) {
    for (let at = bytes.indexOf(0x4c); at >= 0; at = bytes.indexOf(0x4c, at + 1)) {
      if (bytes[at + 1] !== text[1] || bytes[at + 6] !== text[6]) continue;
      const place = (address + BigInt(at)) as VirtualAddress;
      // KASLR moves by whole pages.
      if ((place - linked) % 4096n !== 0n) continue;
      const found = memory.tryBytes(place, text.length);
      if (found?.every((byte, index) => byte === text[index]) === true) return place - linked;
    }
  }
  return undefined;
}

/**
 * The symbol table of the kernel: the dump's own where it lists variables too, else the vmlinux's, else what the dump has.
 * Throws FormatError when there is neither.
 */
export function kernelTable(own: Kallsyms | undefined, vmlinux: VmlinuxFile | undefined, bias: bigint): SymbolTable {
  if (own?.byName("init_task") !== undefined && own.lost === 0) return own;
  const symbols = vmlinux?.symbols;
  if (symbols !== undefined) return new ShiftedSymbols(symbols, bias);
  if (own === undefined) throw new FormatError(vmlinux?.path ?? "dump", "no symbol table: the file is stripped, and the dump has none");
  return own;
}
