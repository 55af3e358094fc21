/**
 * The tables that the kernel carries about itself: kallsyms (names), BTF (types). Found through VMCOREINFO's symbols where it has them,
 * else by scanning the kernel image.
 */
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, FormatError, InquestError } from "../bytes/errors.ts";
import { Btf } from "../debug-info/btf.ts";
import { Kallsyms, type KallsymsLocation } from "../debug-info/kallsyms.ts";
import { scanForKallsyms } from "../debug-info/kallsyms-scan.ts";
import type { SymbolTable } from "../debug-info/symbols.ts";
import type { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { AddressSpace } from "./address-space.ts";
import type { ImageChunk } from "./kernel-image.ts";

/** Largest BTF taken for real; distributions' are 4–8 MiB. */
const MAX_BTF = 256 << 20;
/** struct btf_header: magic, version, flags, hdr_len (24; 32 with a layout table), then offsets and lengths of types and strings. */
const BTF_MAGIC = [0x9f, 0xeb, 0x01];
const HEADER_LENGTHS = new Set([24, 32]);

/** Where VMCOREINFO says that the tables lie (Linux 6.0 on); undefined when it does not. */
function kallsymsFromVmcoreinfo(info: VmcoreInfo | undefined): KallsymsLocation | undefined {
  const at = (name: string) => {
    const address = info?.symbol(name);
    return address === undefined ? undefined : virtual(address);
  };
  const [numSyms, names, tokenTable, tokenIndex] = [
    at("kallsyms_num_syms"),
    at("kallsyms_names"),
    at("kallsyms_token_table"),
    at("kallsyms_token_index"),
  ];
  if (numSyms === undefined || names === undefined || tokenTable === undefined || tokenIndex === undefined) return undefined;
  return {
    numSyms,
    names,
    tokenTable,
    tokenIndex,
    offsets: at("kallsyms_offsets"),
    relativeBase: at("kallsyms_relative_base"),
    addresses: at("kallsyms_addresses"),
  };
}

/**
 * Opens the kernel's symbol table.
 * @param image pieces of the kernel image, for kernels whose VMCOREINFO does not name the tables
 * @throws FormatError when the dump holds no readable kallsyms
 */
export function openKallsyms(
  memory: AddressSpace,
  info: VmcoreInfo | undefined,
  image: () => Iterable<ImageChunk>,
  file: string,
  notes: string[],
): Kallsyms {
  const stext = info?.symbol("_stext");
  const known = stext === undefined ? undefined : { name: "_stext", address: virtual(stext) };
  const named = kallsymsFromVmcoreinfo(info);
  if (named !== undefined) {
    try {
      return Kallsyms.open(memory, named, known);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`kallsyms cannot be read where VMCOREINFO puts it (${error.message}); the kernel image was searched`);
    }
  }
  const found = scanForKallsyms(memory, image());
  if (found === undefined)
    throw new FormatError(
      file,
      "no symbol table (kallsyms) found in the kernel image: it was built without (CONFIG_KALLSYMS) or its pages are missing from the dump; with the kernel's vmlinux it can be opened (inquest DUMP VMLINUX)",
    );
  return Kallsyms.open(memory, found, known);
}

/** Opens the kernel's BTF; undefined when it has none or it cannot be read (`notes` says which). */
export function openBtf(memory: AddressSpace, symbols: SymbolTable, image: () => Iterable<ImageChunk>, notes: string[]): Btf | undefined {
  const range = btfRange(symbols, image);
  if (range === undefined) {
    notes.push("the kernel carries no type information (BTF): commands that need structures want a vmlinux");
    return undefined;
  }
  try {
    const btf = Btf.open(memory.bytes(range.start, range.size), "vmlinux");
    if (btf.note !== undefined) notes.push(`BTF: ${btf.note}`);
    return btf;
  } catch (error) {
    if (!(error instanceof FaultError || error instanceof FormatError)) throw error;
    notes.push(`the kernel's type information (BTF) cannot be read: ${error.message}`);
    return undefined;
  }
}

function btfRange(symbols: SymbolTable, image: () => Iterable<ImageChunk>): { start: VirtualAddress; size: number } | undefined {
  const start = symbols.byName("__start_BTF")?.address;
  const stop = symbols.byName("__stop_BTF")?.address;
  if (start !== undefined && stop !== undefined) {
    const size = distance(stop, start);
    return size > 0 && size < MAX_BTF ? { start, size } : undefined;
  }
  // Without KALLSYMS_ALL these two are not listed: the header is found by its magic, 8-aligned, and proved by its own lengths.
  for (const chunk of image()) {
    const view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
    for (let at = chunk.bytes.indexOf(BTF_MAGIC[0] as number); at >= 0; at = chunk.bytes.indexOf(BTF_MAGIC[0] as number, at + 1)) {
      if (at % 4 !== 0 || at + 24 > chunk.bytes.length) continue;
      if (chunk.bytes[at + 1] !== BTF_MAGIC[1] || chunk.bytes[at + 2] !== BTF_MAGIC[2] || !HEADER_LENGTHS.has(view.getUint32(at + 4, true)))
        continue;
      const [typeOffset, typeLength, stringOffset, stringLength] = [8, 12, 16, 20].map((field) => view.getUint32(at + field, true)) as [
        number,
        number,
        number,
        number,
      ];
      if (
        typeOffset !== 0 ||
        stringOffset < typeLength ||
        stringOffset > MAX_BTF ||
        typeLength < 1 << 16 ||
        typeLength + stringLength > MAX_BTF
      )
        continue;
      return { start: add(chunk.address, at), size: view.getUint32(at + 4, true) + stringOffset + stringLength };
    }
  }
  return undefined;
}
