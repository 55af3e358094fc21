/**
 * Per-CPU memory: which CPU's copy an address lies in, and of what. Source: mm/percpu.c, mm/percpu-internal.h.
 *
 *   first chunk    │ unit of CPU 0: static │ modules │ dynamic │ unit of CPU 1: … │        __per_cpu_offset[cpu] = unit − __per_cpu_start
 *   other chunks   pcpu_chunk_lists[slot] ─► pcpu_chunk { base_addr } : a unit of each CPU, as far apart as in the first chunk
 *
 * A __percpu pointer is the address less the CPU's offset, whichever chunk it lies in.
 */
import { add, distance, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { KernelSymbol, SymbolAt } from "../debug-info/symbols.ts";
import { isPerCpu } from "../kernel/expression/scope.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type AddressRange, AddressTable } from "./address-table.ts";
import { listNodes } from "./list.ts";

/** Where in per-CPU memory an address lies. */
export interface PerCpuPlace {
  readonly cpu: number;
  /** The __percpu pointer that is the same for all CPUs. */
  readonly pointer: VirtualAddress;
  /** The variable; undefined in dynamically allocated parts. */
  readonly variable: SymbolAt | undefined;
}

/** Units are a few hundred KiB to some MiB (PCPU_MIN_UNIT_SIZE 32 KiB). */
const MAX_UNIT = 1 << 26;
/** Chunks of large machines number some thousands. */
const MAX_CHUNKS = 1 << 14;
const MAX_SLOTS = 256;

export class PerCpuAreas {
  readonly #kernel: Kernel;
  readonly #units: AddressTable<number>;
  #variables: AddressTable<KernelSymbol> | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#units = new AddressTable(units(kernel));
  }

  static of(kernel: Kernel): PerCpuAreas {
    return kernel.memo(PerCpuAreas, () => new PerCpuAreas(kernel));
  }

  /** undefined outside per-CPU memory, and on a kernel without SMP. */
  find(address: VirtualAddress): PerCpuPlace | undefined {
    const unit = this.#units.find(address);
    const offset = unit === undefined ? undefined : this.#kernel.perCpuOffsets[unit.value];
    if (unit === undefined || offset === undefined) return undefined;
    const pointer = add(address, -offset);
    return { cpu: unit.value, pointer, variable: this.#variable(pointer) };
  }

  #variable(pointer: VirtualAddress): SymbolAt | undefined {
    this.#variables ??= new AddressTable(variables(this.#kernel));
    const found = this.#variables.find(pointer);
    return found === undefined ? undefined : { symbol: found.value, offset: distance(pointer, found.start) };
  }
}

/** Per-CPU symbols of the kernel and its modules: look-ups by address leave them out, as they are offsets on x86-64 before 6.15. */
function* variables(kernel: Kernel): Generator<AddressRange<KernelSymbol>> {
  const start = kernel.tryAddress("__per_cpu_start");
  const end = kernel.tryAddress("__per_cpu_end");
  const modules = kernel.modules.flatMap((module) => module.symbols() ?? []);
  const { symbols } = kernel;
  if (start !== undefined && end !== undefined) {
    const own = symbols.count - modules.reduce((sum, { count }) => sum + count, 0);
    let low = 0;
    for (let high = own; low < high; ) {
      const middle = (low + high) >>> 1;
      if (symbols.at(middle).address < start) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < own; index++) {
      const symbol = symbols.at(index);
      if (symbol.address >= end) break;
      if (!symbol.name.startsWith("__per_cpu_")) yield sized(symbol, end);
    }
  }
  for (const table of modules) {
    for (let index = 0; index < table.count; index++) {
      const symbol = table.at(index);
      if (isPerCpu(kernel, symbol)) yield sized(symbol, undefined);
    }
  }
}

function sized(symbol: KernelSymbol, last: bigint | undefined): AddressRange<KernelSymbol> {
  const end = symbol.address + BigInt(symbol.size ?? 8);
  return { start: symbol.address, end: last !== undefined && end > last ? last : end, value: symbol };
}

function* units(kernel: Kernel) {
  const offsets = kernel.perCpuOffsets;
  const cpus = offsets.flatMap((offset, cpu) => (offset === undefined || offset === 0n ? [] : [{ cpu, offset }]));
  // Zero-based on x86-64 until 6.14 (01157ddc58dc): there the symbol may be missing.
  const start = kernel.tryAddress("__per_cpu_start") ?? (kernel.arch.name === "x86_64" ? virtual(0n) : undefined);
  if (start === undefined || cpus.length === 0) return;
  const size = unitSize(kernel, cpus, start);
  // Of the first chunk's units what is not used was given back to the buddy allocator at boot.
  const used = Math.min(size, firstChunkBytes(kernel) ?? size);
  for (const { cpu, offset } of cpus) {
    const unit = add(start, offset);
    yield { start: unit, end: BigInt.asUintN(64, unit + BigInt(used)), value: cpu };
  }
  const first =
    firstBase(kernel) ??
    add(
      start,
      cpus.reduce((low, { offset }) => (add(start, offset) < add(start, low) ? offset : low), cpus[0]?.offset ?? virtual(0n)),
    );
  for (const chunk of chunks(kernel)) {
    for (const { cpu, offset } of cpus) {
      const unit = add(chunk.base, distance(add(start, offset), first));
      yield { start: unit, end: BigInt.asUintN(64, unit + BigInt(Math.min(size, chunk.bytes ?? size))), value: cpu };
    }
  }
}

/** pcpu_unit_size; without it the least distance between two CPUs' units, which the first chunk has one behind the other. */
function unitSize(kernel: Kernel, cpus: readonly { readonly offset: VirtualAddress }[], start: VirtualAddress): number {
  const symbol = kernel.tryAddress("pcpu_unit_size");
  const told = symbol === undefined ? undefined : kernel.memory.tryU32(symbol);
  if (told !== undefined && told >= 4096 && told <= MAX_UNIT) return told;
  const sorted = cpus.map(({ offset }) => offset).sort((a, b) => (a < b ? -1 : 1));
  const apart = sorted.slice(1).map((offset, i) => distance(offset, sorted[i] as bigint));
  const least = Math.min(MAX_UNIT, ...apart.filter((bytes) => bytes > 0));
  const end = kernel.tryAddress("__per_cpu_end");
  return apart.length > 0 ? least : end === undefined ? 32768 : distance(end, start);
}

/** Bytes of a unit of the first chunk: static, reserved for modules, dynamic. pcpu_first_chunk serves the last of them. */
function firstChunkBytes(kernel: Kernel): number | undefined {
  const struct = kernel.types.tryStruct("pcpu_chunk");
  const base = struct?.tryField("base_addr");
  const pages = struct?.tryField("nr_pages");
  const symbol = kernel.tryAddress("pcpu_first_chunk");
  const whole = firstBase(kernel);
  const chunk = symbol === undefined ? undefined : kernel.memory.tryU64(symbol);
  if (base === undefined || pages === undefined || whole === undefined || chunk === undefined || chunk === 0n) return undefined;
  try {
    const bytes = distance(base.pointer(virtual(chunk)), whole) + pages.number(virtual(chunk)) * kernel.arch.pageSize;
    return bytes > 0 && bytes <= MAX_UNIT ? bytes : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function firstBase(kernel: Kernel): VirtualAddress | undefined {
  const symbol = kernel.tryAddress("pcpu_base_addr");
  const value = symbol === undefined ? undefined : kernel.memory.tryU64(symbol);
  return value === undefined || value === 0n ? undefined : virtual(value);
}

/** base_addr of every chunk that can be reached; a list that breaks ends itself only. */
function* chunks(kernel: Kernel): Generator<{ readonly base: VirtualAddress; readonly bytes: number | undefined }> {
  const struct = kernel.types.tryStruct("pcpu_chunk");
  const link = struct?.tryField("list");
  const base = struct?.tryField("base_addr");
  const pages = struct?.tryField("nr_pages");
  // pcpu_chunk_lists since 5.9 (3c7be18ac9a0); pcpu_slot before.
  const table = kernel.tryAddress("pcpu_chunk_lists") ?? kernel.tryAddress("pcpu_slot");
  const count = kernel.tryAddress("pcpu_nr_slots");
  if (link === undefined || base === undefined || table === undefined || count === undefined) return;
  const lists = kernel.memory.tryU64(table);
  // Until 5.13 chunks for memory cgroups had lists of their own behind the others (faf65dde844a).
  const kinds = kernel.types.constant("PCPU_CHUNK_MEMCG") === undefined ? 1 : 2;
  const slots = Math.min((kernel.memory.tryU32(count) ?? 0) * kinds, MAX_SLOTS);
  if (lists === undefined) return;
  for (let slot = 0; slot < slots; slot++) {
    try {
      for (const node of listNodes(kernel.memory, add(virtual(lists), slot * 16), { limit: MAX_CHUNKS })) {
        const chunk = containerOf(node, link);
        // The first chunk's dynamic part is a chunk of the lists too.
        const bytes = pages === undefined ? undefined : pages.number(chunk) * kernel.arch.pageSize;
        yield { base: base.pointer(chunk), bytes };
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
}
