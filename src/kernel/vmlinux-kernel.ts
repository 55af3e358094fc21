/**
 * A kernel of which only the vmlinux is at hand: its code, symbols, types, lines. Memory is what the file would be loaded with, at
 * link-time addresses, so that functions can be followed and symbolised as in a dump; there are no tasks, no modules, no page tables.
 *
 *   address ──► "physical" page of the same low bits ──► bytes of the file's segment
 */
import type { Architecture, PageTables } from "../arch/architecture.ts";
import { type PhysicalAddress, physical, type VirtualAddress, virtual } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { EM_X86_64 } from "../debug-info/elf.ts";
import type { SymbolTable } from "../debug-info/symbols.ts";
import type { Dump, PageFault } from "../dump/dump.ts";
import { PhysicalMemory } from "../dump/physical-memory.ts";
import { HEADERLESS } from "../dump/raw.ts";
import { AddressSpace } from "./address-space.ts";
import { KernelDebugInfo } from "./debug-info.ts";
import { Kernel } from "./kernel.ts";
import { KernelSymbols } from "./kernel-symbols.ts";
import { Types } from "./types.ts";
import type { OpenedVmlinux } from "./vmlinux-file.ts";
import type { VmlinuxModules } from "./vmlinux-modules.ts";

const PAGE = 4096;
/** All kernels lie in the upper half: their addresses differ in the lower 47 bits. */
const LOW_BITS = (1n << 47n) - 1n;

/**
 * Throws UnsupportedError for a file without symbols: nothing could be found in it.
 * @param modules files of its modules; those that are wanted before an answer take part in it
 */
export function kernelOfVmlinux(vmlinux: OpenedVmlinux, modules?: VmlinuxModules): Kernel {
  const { symbols } = vmlinux;
  if (symbols === undefined) throw new UnsupportedError(`${vmlinux.path}: is stripped: without symbols no function can be found in it`);
  const info = vmlinux.describe();
  const loaded = () => modules?.modules ?? [];
  const memory = new AddressSpace(new PhysicalMemory(fileAsDump(vmlinux, symbols, modules)), {
    translate: (address: VirtualAddress): PhysicalAddress => physical(address & LOW_BITS),
  });
  return new Kernel({
    dump: memory.physical.dump,
    physical: memory.physical,
    memory,
    arch: architectureOf(vmlinux),
    vmcoreinfo: undefined,
    symbols: new KernelSymbols(symbols, new Map(), loaded),
    types: new Types(memory, info === undefined ? [] : [info]),
    debugInfo: new KernelDebugInfo(
      info === undefined ? undefined : { module: undefined, path: vmlinux.path, info, bias: 0n },
      loaded,
      modules === undefined ? undefined : (module) => modules.debug(module),
    ),
    modules: loaded,
    perCpuOffsets: () => [],
    notes: [...vmlinux.notes],
  });
}

function fileAsDump(vmlinux: OpenedVmlinux, symbols: SymbolTable, modules: VmlinuxModules | undefined): Dump {
  const bytesAt = (address: bigint, length: number) => vmlinux.bytesAt(address, length) ?? modules?.bytesAt(address, length);
  const { address: text } = symbols.byName("_text") ?? symbols.at(0);
  const high = (text | LOW_BITS) ^ LOW_BITS;
  return {
    ...HEADERLESS,
    format: "vmlinux",
    files: [vmlinux.path],
    machine: vmlinux.machine === EM_X86_64 ? "x86_64" : "aarch64",
    pageSize: PAGE,
    maxPfn: Number((LOW_BITS + 1n) / BigInt(PAGE)),
    readPage(pfn: number, target: Uint8Array): PageFault | undefined {
      const address = high | (BigInt(pfn) * BigInt(PAGE));
      const whole = bytesAt(address, PAGE);
      if (whole !== undefined) {
        target.set(whole);
        return undefined;
      }
      return readParts(bytesAt, address, target) ? undefined : { reason: "unmapped" };
    },
    ranges: [],
    warnings: [],
    facts: [],
    close: () => vmlinux.close(),
  };
}

/** A page that a segment begins or ends in: in steps of 16 bytes, as sections are aligned. */
function readParts(bytesAt: (address: bigint, length: number) => Uint8Array | undefined, address: bigint, target: Uint8Array): boolean {
  const step = 16;
  let any = false;
  target.fill(0);
  for (let at = 0; at < PAGE; at += step) {
    const part = bytesAt(address + BigInt(at), step);
    if (part === undefined) continue;
    target.set(part, at);
    any = true;
  }
  return any;
}

function architectureOf(vmlinux: OpenedVmlinux): Architecture {
  const none = (): never => {
    throw new UnsupportedError(`${vmlinux.path}: a vmlinux has no page tables`);
  };
  return {
    name: vmlinux.machine === EM_X86_64 ? "x86_64" : "aarch64",
    pageSize: PAGE,
    pageShift: 12,
    virtualBits: 48,
    linearOffset: undefined,
    kernelStart: virtual(-(1n << 56n)),
    threadSize: 16384,
    kaslrOffset: 0n,
    facts: [],
    get kernelTables(): PageTables {
      return none();
    },
    pageTables: none,
    entryFlags: () => [],
    entryFrame: none,
    entryPresent: () => false,
    stripPointer: (address) => virtual(address),
    isKernelAddress: (address) => BigInt.asUintN(64, address) >= 1n << 63n,
    toLinear: () => undefined,
  };
}
