/**
 * CPUs of the dead machine: which are possible, present and online (kernel/cpu.c), the load, the clock rate.
 *
 *   __cpu_possible_mask ⊇ __cpu_present_mask ⊇ __cpu_online_mask        one bit a CPU, lowest first; struct cpumask since 4.5
 *
 * A panic without kdump stops the other CPUs and takes them out of the online mask (x86-64), so "offline" in a dump often means
 * "stopped by the panic".
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** CONFIG_NR_CPUS is at most 8192. */
const MAX_CPUS = 8192;

export interface CpuMasks {
  readonly possible: readonly number[];
  readonly present: readonly number[];
  readonly online: readonly number[];
}

/** CPU numbers of a mask at an address, ascending. */
export function readCpuMask(kernel: Kernel, address: VirtualAddress): readonly number[] {
  const size = kernel.types.tryStruct("cpumask")?.size;
  if (size !== undefined) return bitsOf(kernel.memory.bytes(address, Math.min(size, MAX_CPUS / 8)));
  // Without types it is not known where the mask ends: at the highest CPU there can be.
  const limit = cpuLimit(kernel);
  return bitsOf(kernel.memory.bytes(address, Math.ceil(limit / 8))).filter((cpu) => cpu < limit);
}

/** nr_cpu_ids, else the CPUs that have per-CPU areas. */
function cpuLimit(kernel: Kernel): number {
  return highestCount(kernel) ?? Math.max(1, kernel.perCpuOffsets.length);
}

/** nr_cpu_ids: one more than the highest possible CPU (setup_nr_cpu_ids()). */
function highestCount(kernel: Kernel): number | undefined {
  const symbol = kernel.tryAddress("nr_cpu_ids");
  const count = symbol === undefined ? undefined : kernel.memory.tryU32(symbol);
  return count !== undefined && count >= 1 && count <= MAX_CPUS ? count : undefined;
}

/** A damaged mask names thousands of CPUs, each of which would be asked for its areas, queues and slabs. */
function believed(kernel: Kernel, mask: readonly number[]): readonly number[] | undefined {
  const limit = highestCount(kernel);
  const below = limit === undefined ? mask : mask.filter((cpu) => cpu < limit);
  if (below.length < mask.length) kernel.note(`the mask of possible CPUs is damaged: it names ${mask.length}, and nr_cpu_ids is ${limit}`);
  return below.length === 0 ? undefined : below;
}

/** Numbers of the bits that are set. */
export function bitsOf(bytes: Uint8Array): readonly number[] {
  const found: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    for (let bit = 0; byte >> bit !== 0; bit++) if ((byte >> bit) & 1) found.push(i * 8 + bit);
  }
  return found;
}

/** The masks; where a symbol is missing, what the per-CPU areas tell. Computed once per dump. */
export function cpuMasks(kernel: Kernel): CpuMasks {
  return kernel.memo(cpuMasks, () => {
    const mask = (name: string): readonly number[] | undefined => {
      const address = kernel.tryAddress(`__cpu_${name}_mask`) ?? pointerMask(kernel, `cpu_${name}_mask`);
      return address === undefined ? undefined : readCpuMask(kernel, address);
    };
    const areas = kernel.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [cpu]));
    const named = mask("possible");
    const known = named === undefined ? undefined : believed(kernel, named);
    // One area may be all that is known of many; a kernel without SMP has its masks too.
    if (known === undefined && areas.length < 2)
      kernel.note(
        "how many CPUs the machine has cannot be told: neither their mask nor the per-CPU areas were found, and only CPU 0 is shown",
      );
    const possible = known ?? areas;
    const present = mask("present") ?? possible;
    return { possible, present, online: mask("online") ?? present };
  });
}

/** Before 4.5 (5aec01b834fd) `cpu_online_mask` was a pointer variable. */
function pointerMask(kernel: Kernel, name: string): VirtualAddress | undefined {
  const pointer = kernel.tryAddress(name);
  return pointer === undefined ? undefined : (kernel.memory.tryU64(pointer) as VirtualAddress | undefined);
}

/** Load averages of 1, 5 and 15 minutes as /proc/loadavg rounds them; undefined when `avenrun` is not among the symbols. */
export function loadAverages(kernel: Kernel): readonly [number, number, number] | undefined {
  const address = kernel.tryAddress("avenrun");
  if (address === undefined) return undefined;
  const bytes = kernel.memory.tryBytes(address, 24);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer);
  const at = (i: number) => fixedPoint(view.getBigUint64(i * 8, true));
  return [at(0), at(1), at(2)];
}

/** FSHIFT is 11 bits; the kernel adds 1/200 before it cuts to two digits. */
function fixedPoint(value: bigint): number {
  const rounded = value + 2048n / 200n;
  const whole = rounded >> 11n;
  const hundredths = ((rounded & 2047n) * 100n) >> 11n;
  return Number(whole) + Number(hundredths) / 100;
}

/** Clock rate in MHz: cpu_khz (x86-64). undefined where the kernel keeps none (arm64). */
export function cpuMegahertz(kernel: Kernel): number | undefined {
  const address = kernel.tryAddress("cpu_khz");
  const khz = address === undefined ? undefined : kernel.memory.tryU32(address);
  return khz === undefined || khz === 0 ? undefined : khz / 1000;
}
