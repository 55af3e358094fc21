/**
 * Symbols that kallsyms lacks on kernels without CONFIG_KALLSYMS_ALL (arm64 kernels of Debian 11 and 12 are such): functions are
 * listed, variables are not. Exported variables come from the export tables; two that everything needs and nobody exports are found by
 * what they must look like, and taken only when what they link to links back. Per-CPU variables come from BTF, which has their offsets:
 *
 *   modules      a list_head in the image whose next is the `list` of a struct module, and whose next->prev is itself
 *   runqueues    the place in CPU 0's per-CPU area where `idle` is &init_task and `cpu` is 0; the same on CPU 1
 */
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { Btf } from "../debug-info/btf.ts";
import type { KernelSymbol, SymbolTable } from "../debug-info/symbols.ts";
import type { AddressSpace } from "./address-space.ts";
import { findExports } from "./exports.ts";
import type { ImageChunk } from "./kernel-image.ts";
import { type KernelModule, moduleReader } from "./modules.ts";
import type { Types } from "./types.ts";

export interface ExtraSymbolsInput {
  readonly memory: AddressSpace;
  readonly types: Types;
  readonly kallsyms: SymbolTable;
  /** Filled with what is found. */
  readonly extra: Map<string, KernelSymbol>;
  readonly image: () => Iterable<ImageChunk>;
  readonly notes: string[];
}

/** The note of such a kernel. */
export const NO_DATA_SYMBOLS =
  "the kernel lists no data symbols (no CONFIG_KALLSYMS_ALL): variables come from VMCOREINFO, the export table and their own shape";

/** How the note ends of a table of which pages are missing; what it lists cannot be told then. */
export const SYMBOLS_LOST =
  "of the kernel's symbols cannot be read: names are missing, and an address may be given to a symbol before its own";

/** Exported per-CPU variables; the first that exists tells where the per-CPU section lies. */
const PER_CPU_EXPORTS = ["kstat", "softnet_data", "cpu_number", "irq_stat", "kernel_cpustat"];
/** Static per-CPU variables of a large kernel take 300 KiB. */
const PER_CPU_REACH = 1 << 20;

export function findExtraSymbols(input: ExtraSymbolsInput): void {
  const { memory, kallsyms, extra, image, notes } = input;
  for (const [name, symbol] of findExports(memory, kallsyms, image)) if (!extra.has(name)) extra.set(name, symbol);
  if (!notes.some((note) => note.endsWith(SYMBOLS_LOST))) notes.push(NO_DATA_SYMBOLS);
  const found = (name: string, address: VirtualAddress | undefined, type: string) => {
    if (address !== undefined) extra.set(name, { name, address, type, module: undefined, size: undefined });
  };
  for (const [name, address] of perCpuVariables(input)) if (!extra.has(name)) found(name, address, "d");
  found("modules", findModuleList(input), "d");
  if (!extra.has("runqueues")) found("runqueues", findRunqueues(input), "D");
}

/**
 * Per-CPU variables by BTF, which gives every one its offset in the section .data..percpu; exported ones tell where the section lies.
 * Nothing is believed unless two of them, and all that are exported, agree.
 */
function perCpuVariables({ types, extra }: ExtraSymbolsInput): [string, VirtualAddress][] {
  const btf = types.sources.find((source): source is Btf => source instanceof Btf);
  const variables = btf === undefined ? [] : readable(() => [...btf.sectionVariables(".data..percpu")]);
  const bases = variables.flatMap(({ name, offset }) => {
    const known = extra.get(name);
    return known === undefined ? [] : [add(known.address, -offset)];
  });
  const base = bases[0];
  if (base === undefined || bases.length < 2 || bases.some((other) => other !== base)) return [];
  return variables.map(({ name, offset }) => [name, add(base, offset)]);
}

/** What a table says, or nothing when it is damaged. */
function readable<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}

/** Head of the list of modules; undefined when no module is loaded or none can be recognised. */
function findModuleList({ memory, types, image }: ExtraSymbolsInput): VirtualAddress | undefined {
  const list = types.tryStruct("module")?.tryField("list");
  const read = moduleReader(memory, types);
  if (list === undefined || read === undefined) return undefined;
  for (const chunk of image()) {
    const view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
    for (let at = 0; at + 8 <= view.byteLength; at += 8) {
      // A kernel address has its top 12 bits set with any size of address; most words fail here.
      if (view.getUint16(at + 6, true) < 0xfff0) continue;
      const head = add(chunk.address, at);
      const next = virtual(view.getBigUint64(at, true));
      if (next === head || (next & 7n) !== 0n || memory.tryU64(add(next, 8)) !== head) continue;
      const last = memory.tryU64(add(head, 8));
      if (last === undefined || memory.tryU64(virtual(last)) !== head) continue;
      if (holdsItself(read(add(next, -list.offset)))) return head;
    }
  }
  return undefined;
}

/** A module's struct module lies in its own memory (.gnu.linkonce.this_module), whose pieces are whole pages: no other list looks so. */
function holdsItself(module: KernelModule | undefined): boolean {
  return (
    module !== undefined &&
    /^\w+$/.test(module.name) &&
    module.regions.every(({ start }) => (start & 0xfffn) === 0n) &&
    module.regions.some(({ start, size }) => module.address >= start && distance(module.address, start) < size)
  );
}

/** Per-CPU symbol address of struct rq; undefined when it cannot be recognised. */
function findRunqueues({ memory, types, extra }: ExtraSymbolsInput): VirtualAddress | undefined {
  const rq = types.tryStruct("rq");
  const idle = rq?.tryField("idle");
  const cpu = rq?.tryField("cpu");
  const initTask = extra.get("init_task")?.address;
  const offsets = extra.get("__per_cpu_offset")?.address;
  const near = PER_CPU_EXPORTS.map((name) => extra.get(name)?.address).find((address) => address !== undefined);
  if (rq === undefined || idle === undefined || cpu === undefined || initTask === undefined || offsets === undefined || near === undefined)
    return undefined;
  const offset0 = memory.tryU64(offsets);
  const offset1 = memory.tryU64(add(offsets, 8));
  if (offset0 === undefined) return undefined;
  const start = virtual((near - BigInt(PER_CPU_REACH)) & ~63n);
  for (let at = 0; at < 2 * PER_CPU_REACH; at += 64) {
    const symbol = add(start, at);
    const own = add(symbol, offset0);
    if (memory.tryU64(idle.address(own)) !== initTask || memory.tryU32(cpu.address(own)) !== 0) continue;
    // sched_init() numbers the runqueues of all possible CPUs; a machine with one has no second offset, or its area is not in the dump.
    if (offset1 === undefined || offset1 === 0n || offset1 === offset0) return symbol;
    const second = memory.tryU32(cpu.address(add(symbol, offset1)));
    if (second === 1 || second === undefined) return symbol;
  }
  return undefined;
}
