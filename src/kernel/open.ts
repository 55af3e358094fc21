/**
 * Opens a dead kernel: container → page tables → symbols → types. Nothing else is needed than the dump.
 *
 *   openDump ─► PhysicalMemory ─► setUpMachine ─► AddressSpace ─► kallsyms ─► BTF ─► Kernel
 */
import { X86_64 } from "../arch/x86-64.ts";
import { distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, FormatError, InquestError } from "../bytes/errors.ts";
import type { TypeSource } from "../debug-info/c-type.ts";
import type { Kallsyms } from "../debug-info/kallsyms.ts";
import type { KernelSymbol } from "../debug-info/symbols.ts";
import type { Dump } from "../dump/dump.ts";
import { openDump } from "../dump/open.ts";
import { PhysicalMemory } from "../dump/physical-memory.ts";
import { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import { AddressSpace } from "./address-space.ts";
import { type BoundDebugInfo, KernelDebugInfo, type ModuleDebugLoader, type VmlinuxFile } from "./debug-info.ts";
import { findExtraSymbols, SYMBOLS_LOST } from "./extra-symbols.ts";
import type { Progress } from "./find-vmcoreinfo.ts";
import { vmcoreinfoAt } from "./find-vmcoreinfo.ts";
import { Kernel } from "./kernel.ts";
import { type ImageChunk, imageChunks } from "./kernel-image.ts";
import { KernelSymbols } from "./kernel-symbols.ts";
import { openBtf, openKallsyms } from "./kernel-tables.ts";
import { type MachineSetup, machineCandidates, noMachine } from "./machine-setup.ts";
import { openModuleTypes } from "./module-types.ts";
import { moduleVariable } from "./module-variables.ts";
import { type KernelModule, readModules } from "./modules.ts";
import { perCpuOffsets } from "./per-cpu-offsets.ts";
import { Types } from "./types.ts";
import { kernelTable, linkBias } from "./vmlinux-place.ts";

/** How the engine opens a kernel. */
export interface OpenOptions {
  /** Excluded pages read as zeroes. */
  readonly zeroExcluded?: boolean;
  readonly progress?: Progress;
  /** The kernel's vmlinux, known to fit: lines, scopes, variables; and the way into kernels that carry no symbols or types. */
  readonly vmlinux?: VmlinuxFile;
  /** Finds the debug information of modules on first need. */
  readonly moduleDebug?: (kernel: Kernel) => ModuleDebugLoader;
}

/** Opens dump files (one, or a split set) and the kernel in them. Throws an InquestError whose message is one line. */
export async function openKernel(paths: readonly string[], options: OpenOptions = {}): Promise<Kernel> {
  return openKernelOf(await openDump(paths), options);
}

/** Opens the kernel in a dump that is already open. */
export function openKernelOf(dump: Dump, options: OpenOptions = {}): Kernel {
  const file = dump.files[0] ?? "dump";
  const notes: string[] = [];
  const physical = new PhysicalMemory(dump, { zeroExcluded: options.zeroExcluded ?? false });
  const { machine, memory, image, kallsyms: own } = findKernel(physical, file, notes, options);
  const lost = own?.lost ?? 0;
  if (lost > 0) notes.push(`${lost} ${SYMBOLS_LOST}`);
  const { arch } = machine;
  const { vmlinux } = options;
  const bias = vmlinux === undefined ? 0n : linkBias({ vmlinux, kallsyms: own, memory, image, info: machine.vmcoreinfo, file });
  const kallsyms = kernelTable(own, vmlinux, bias);
  const vmcoreinfo = machine.vmcoreinfo ?? vmcoreinfoOfSymbol(memory, kallsyms.byName("vmcoreinfo_data")?.address);

  let modules: readonly KernelModule[] | undefined;
  const readAll = (): readonly KernelModule[] => {
    if (modules !== undefined) return modules;
    // Not looked up through `symbols`, which would ask for the modules.
    const head = (kallsyms.byName("modules") ?? extra.get("modules"))?.address;
    const problems: string[] = [];
    if (head === undefined)
      problems.push(
        `the list of modules was not found: ${lost > 0 ? "parts of the symbol table cannot be read" : "the kernel lists no data symbols"}`,
      );
    const read = head === undefined ? [] : readModules(memory, types, head, problems);
    notes.push(...problems);
    modules = read;
    return modules;
  };
  const btf = openBtf(memory, kallsyms, image, vmlinux === undefined ? notes : []);
  const described = vmlinux?.describe(btf === undefined ? undefined : (key, name) => btf.find(key, name));
  const bound =
    vmlinux === undefined || described === undefined
      ? undefined
      : {
          module: undefined,
          path: vmlinux.path,
          info: described,
          bias,
          bytesAt: (address: bigint, length: number) => vmlinux.bytesAt(address, length),
        };
  const debugInfo = new KernelDebugInfo(bound, readAll, options.moduleDebug === undefined ? undefined : loadModule);
  // Made on first need: the loader wants the kernel that is being opened here.
  let loader: ModuleDebugLoader | undefined;
  function loadModule(module: KernelModule): BoundDebugInfo | undefined {
    loader ??= options.moduleDebug?.(kernel);
    return loader?.(module);
  }
  const types = new Types(
    memory,
    btf !== undefined ? [btf] : described !== undefined ? [described] : [],
    (): readonly TypeSource[] => (btf === undefined ? [] : openModuleTypes(memory, types, symbols, btf, notes)),
    btf === undefined ? notes.at(-1) : undefined,
    function* () {
      for (const { info } of debugInfo.all()) if (info !== described || btf !== undefined) yield info;
    },
  );
  const extra = new Map<string, KernelSymbol>(vmcoreinfoSymbols(vmcoreinfo));
  const symbols = new KernelSymbols(kallsyms, extra, readAll, (name) => moduleVariable(debugInfo, name));
  if (own !== undefined && kallsyms.byName("init_task") === undefined) findExtraSymbols({ memory, types, kallsyms, extra, image, notes });
  arch.findThreadSize = () => threadSize(types, symbols, arch.pageSize);
  if (arch instanceof X86_64) {
    arch.kaslrOffset ??= vmcoreinfo?.kernelOffset;
    arch.pageOffsetBase = () => {
      const at = symbols.byName("page_offset_base")?.address;
      return at === undefined ? undefined : memory.tryU64(at);
    };
  }
  const kernel = new Kernel({
    dump,
    physical,
    memory,
    arch,
    vmcoreinfo,
    symbols,
    types,
    debugInfo,
    modules: readAll,
    perCpuOffsets: perCpuOffsets(memory, symbols),
    notes,
  });
  return kernel;
}

/** A way into the kernel: its machine, and its symbol table unless it was built without and a vmlinux stands in. */
interface FoundKernel {
  readonly machine: MachineSetup;
  readonly memory: AddressSpace;
  readonly image: () => Iterable<ImageChunk>;
  readonly kallsyms: Kallsyms | undefined;
}

/** The first way into the kernel that leads to its symbol table, or, with a vmlinux, to its banner. */
function findKernel(physical: PhysicalMemory, file: string, notes: string[], { progress, vmlinux }: OpenOptions): FoundKernel {
  let firstError: InquestError | undefined;
  const without: FoundKernel[] = [];
  for (const machine of machineCandidates(physical, progress)) {
    const memory = new AddressSpace(physical, machine.arch.kernelTables);
    const image = (): Iterable<ImageChunk> => imageChunks(machine.arch.kernelTables, physical, machine.imageStart);
    try {
      const kallsyms = openKallsyms(memory, machine.vmcoreinfo, image, file, notes);
      if (machine.note !== undefined) notes.unshift(machine.note);
      return { machine, memory, image, kallsyms };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      firstError ??= error;
      if (vmlinux?.symbols !== undefined) without.push({ machine, memory, image, kallsyms: undefined });
    }
  }
  const [standIn] = without;
  if (standIn !== undefined && firstError !== undefined) {
    notes.push(`${firstError.message.replace(`${file}: `, "")}; symbols come from ${vmlinux?.path}`);
    return standIn;
  }
  // A file that ends early explains most of what cannot be found in it.
  const reason = firstError ?? noMachine(physical);
  const [warning] = physical.dump.warnings;
  throw physical.dump.incomplete && warning !== undefined
    ? new FormatError(file, [warning, reason.message].map((text) => text.replace(`${file}: `, "")).join("; "))
    : reason;
}

/** SYMBOL(name) lines as symbols; VMCOREINFO does not say text or data, "?" stands for both. */
function* vmcoreinfoSymbols(info: VmcoreInfo | undefined): Iterable<[string, KernelSymbol]> {
  for (const key of info?.keys() ?? []) {
    const name = /^SYMBOL\((\w+)\)$/.exec(key)?.[1];
    const address = name === undefined ? undefined : info?.symbol(name);
    // mem_section and vmemmap print the value of the variable and not its address (VMCOREINFO_SYMBOL_ARRAY, arm64's vmemmap).
    if (name === undefined || address === undefined || name === "mem_section" || name === "vmemmap") continue;
    yield [name, { name, address: virtual(address), type: "?", module: undefined, size: undefined }];
  }
}

/** VMCOREINFO through the kernel's own pointer to it, for dumps whose container has none. */
function vmcoreinfoOfSymbol(memory: AddressSpace, pointer: VirtualAddress | undefined): VmcoreInfo | undefined {
  if (pointer === undefined) return undefined;
  try {
    const text = vmcoreinfoAt(memory.physical, memory.translate(virtual(memory.u64(pointer))));
    return text === undefined ? undefined : new VmcoreInfo(text);
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}

/**
 * THREAD_SIZE: the size of `union thread_union`, else what lies between the ends of the first task's stack (6.10 on: init_stack; 4.16 to
 * 6.9: init_task), else 16 KiB, or a page where that is more (arm64 with 64 KiB pages).
 */
function threadSize(types: Types, symbols: KernelSymbols, pageSize: number): number {
  const union = types.tryStruct("thread_union")?.size;
  if (union !== undefined) return union;
  for (const name of ["init_stack", "init_task"]) {
    const start = symbols.byName(`__start_${name}`)?.address;
    const end = symbols.byName(`__end_${name}`)?.address;
    if (start !== undefined && end !== undefined && distance(end, start) >= 4096) return distance(end, start);
  }
  return Math.max(16384, pageSize);
}
