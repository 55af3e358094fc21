/**
 * Areas of vmalloc() that nobody refers to, by who asked for them: the kernel notes the caller of each (vm_struct.caller), so the place is
 * certain. The notes of the area itself (vm_struct, vmap_area) are no users of it.
 */
import { hex16 } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type VmallocArea, vmallocAreas } from "../../linux/vmalloc.ts";
import { areasByCaller } from "./areas.ts";
import { ENOUGH, LARGE, type Lost, NEARLY_ALL } from "./lost.ts";
import { referrersOf } from "./referrers.ts";

const PER_CALLER = 48;
const OTHERS = 48;

/** @param total pages of the machine */
export function lostAreas(kernel: Kernel, total: number, progress?: (done: number, of: number) => void): Lost | undefined {
  const [largest, ...rest] = areasByCaller(kernel);
  if (largest === undefined || largest.pages < total * LARGE) return undefined;
  const suspects = spread(largest.areas, PER_CALLER);
  const others = spread(
    rest.flatMap(({ areas }) => areas.slice(0, 8)),
    OTHERS,
  );
  // Neighbours end where an area begins: their notes do not count either.
  const own = new Set<bigint>();
  for (const { area, vm } of vmallocAreas(kernel).busy) {
    own.add(area);
    if (vm !== undefined) own.add(vm);
  }
  const targets = [...suspects, ...others].map(({ start, end }) => ({ start, size: Number(end - start) }));
  const found = referrersOf(kernel, targets, ({ object }) => own.has(object), progress);
  if (found === undefined) return undefined;
  // Words in the area itself have no address in the linear map that tells so: an area that holds its own address is held by nobody else.
  const unheld = suspects.filter((_, i) => found.held[i]?.length === 0).length;
  if (suspects.length < ENOUGH || unheld < suspects.length * NEARLY_ALL) return undefined;
  const name = `${largest.function}${largest.module === undefined ? "" : ` [${largest.module}]`}`;
  const example = suspects[0] as VmallocArea;
  const caller = kernel.types.tryStruct("vm_struct")?.tryField("caller");
  return {
    what: `areas of vmalloc() that ${name} asked for`,
    pages: largest.pages,
    drawn: suspects.length,
    unheld,
    others: others.length,
    othersUnheld: others.filter((_, i) => found.held[suspects.length + i]?.length === 0).length,
    whole: found.whole,
    owner: {
      function: largest.function,
      ...(largest.module === undefined ? {} : { module: largest.module }),
      text: `${name} asked for all ${largest.areas.length} of them, as each vm_struct says`,
    },
    name: `vmalloc of ${largest.function}`,
    object: { type: "struct vm_struct", ...(example.vm === undefined ? {} : { address: example.vm }) },
    story: [],
    evidence: [
      {
        claim: `one of the ${largest.areas.length} areas, and who asked for it`,
        command: `struct vm_struct.addr,nr_pages,caller ${hex16(example.vm ?? 0n)}`,
        values: caller === undefined || example.vm === undefined ? [] : [{ address: caller.address(example.vm), value: example.caller }],
      },
      {
        claim: `what it maps (search -k ${hex16(example.start)} finds nothing but its own notes)`,
        command: `kmem -v ${hex16(example.start)}`,
        values: [],
      },
    ],
  };
}

function spread<T>(all: readonly T[], most: number): readonly T[] {
  const step = Math.max(1, all.length / most);
  const found: T[] = [];
  for (let i = 0; i < all.length && found.length < most; i += step) found.push(all[Math.floor(i)] as T);
  return found;
}
