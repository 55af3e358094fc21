/**
 * Sheaves of SLUB (mm/slub.c, 6.18+: 2d517aa09bbc): arrays of free objects of any slab, kept by CPUs, and full ones by the barn of a node.
 *
 *   CPU    slub_percpu_sheaves { main, spare, rcu_free } ─► slab_sheaf { size, objects[] }
 *   node   node_barn.sheaves_full ⇄ slab_sheaf ⇄ …
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import { attempt } from "./gather.ts";
import { listNodes } from "./list.ts";
import type { SheafFields } from "./slab-layout.ts";

/** An array of free objects. */
export interface Sheaf {
  readonly address: VirtualAddress;
  /** "cpu 0 main sheaf", "cpu 1 rcu_free sheaf", "barn of node 0". */
  readonly where: string;
  readonly objects: readonly VirtualAddress[];
}

/** What a CPU keeps in sheaves. */
export interface SlubSheaves {
  readonly cpu: number;
  /** Its slub_percpu_sheaves. */
  readonly address: VirtualAddress;
  readonly main: Sheaf | undefined;
  readonly spare: Sheaf | undefined;
  readonly rcuFree: Sheaf | undefined;
}

/** The store of sheaves of a node (struct node_barn). */
export interface SlubBarn {
  readonly address: VirtualAddress;
  readonly full: readonly Sheaf[];
  /** Empty sheaves. */
  readonly empty: number;
}

/** More than any sheaf holds (kmem_cache.sheaf_capacity is some tens, prefilled ones a little more). */
const MAX_SHEAF = 1 << 16;
const MAX_SHEAVES = 1 << 16;

/** Sheaves of each CPU; what cannot be read is told in `problems`. */
export function* readCpuSheaves(kernel: Kernel, fields: SheafFields, cache: VirtualAddress, problems: string[]): Generator<SlubSheaves> {
  const area = attempt(() => fields.pointer.pointer(cache), problems, "cpu_sheaves");
  if (area === undefined || area === 0n) return;
  for (const cpu of cpuMasks(kernel).possible) {
    const found = attempt(
      () => {
        const address = kernel.perCpuAddress(area, cpu);
        const sheaf = (field: Field, name: string) =>
          readSheaf(kernel, fields, field.pointer(address), `cpu ${cpu} ${name} sheaf`, problems);
        return {
          cpu,
          address,
          main: sheaf(fields.main, "main"),
          spare: sheaf(fields.spare, "spare"),
          rcuFree: sheaf(fields.rcuFree, "rcu_free"),
        };
      },
      problems,
      `cpu ${cpu}`,
    );
    if (found !== undefined) yield found;
  }
}

/** The barn of a node; a list of sheaves that breaks keeps what came before. */
export function readBarn(kernel: Kernel, fields: SheafFields, node: number, address: VirtualAddress, problems: string[]): SlubBarn {
  const { barn, sheaf } = fields;
  const where = `barn of node ${node}`;
  const full: Sheaf[] = [];
  attempt(
    () => {
      for (const link of listNodes(kernel.memory, barn.full.address(address), { limit: MAX_SHEAVES })) {
        const read = readSheaf(kernel, fields, containerOf(link, sheaf.barnList), where, problems);
        if (read !== undefined) full.push(read);
      }
    },
    problems,
    where,
  );
  return { address, full, empty: attempt(() => barn.emptyCount.number(address), problems, where) ?? 0 };
}

function readSheaf(kernel: Kernel, fields: SheafFields, address: VirtualAddress, where: string, problems: string[]): Sheaf | undefined {
  if (address === 0n) return undefined;
  return attempt(
    () => {
      const size = fields.sheaf.size.number(address);
      if (size > MAX_SHEAF) throw new CorruptionError("slab_sheaf", `says to hold ${size} objects`, address);
      const at = fields.sheaf.objects.address(address);
      const objects = Array.from({ length: size }, (_, i) => virtual(kernel.memory.u64(add(at, i * 8))));
      return { address, where, objects: objects.map((object) => kernel.arch.stripPointer(object)) };
    },
    problems,
    where,
  );
}
