/**
 * page_owner: who allocated and who freed each block of pages (mm/page_owner.c; boot option page_owner=on).
 *
 *   page_ext of the block's first page: flags PAGE_EXT_OWNER, PAGE_EXT_OWNER_ALLOCATED (5.3)
 *   + page_owner_ops.offset: page_owner { order, gfp_mask, handle, free_handle (5.3), ts_nsec, free_ts_nsec (5.11 on), comm, pid, tgid (5.18) }
 */
import { add, type Pfn, type VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type AllocationTrack, trackStack } from "./allocation-track.ts";
import { PageMap } from "./page.ts";
import { type PageExtensions, pageExtensions } from "./page-extension.ts";

/** A block of 2^order pages and who owns it. */
export interface OwnedPages {
  readonly pfn: Pfn;
  readonly order: number;
  /** False for a block that was freed since. */
  readonly allocated: boolean;
  readonly gfpMask: bigint;
  readonly allocation: AllocationTrack;
  readonly free: AllocationTrack | undefined;
}

const MAX_ORDER = 20;
/** Frames between two words on how far a walk over all is. */
const TICK = 1 << 14;

interface OwnerLayout {
  readonly extensions: PageExtensions;
  readonly offset: number;
  read(pfn: Pfn, entry: VirtualAddress): OwnedPages | undefined;
}

/** page_owner of this kernel, or one line saying why there is none. */
function ownerLayout(kernel: Kernel): OwnerLayout | string {
  return kernel.memo(ownerLayout, () => {
    const owner = kernel.types.tryStruct("page_owner");
    const ops = kernel.tryAddress("page_owner_ops");
    const place = kernel.types.tryStruct("page_ext_operations")?.tryField("offset");
    const flags = kernel.types.tryStruct("page_ext")?.tryField("flags");
    const [order, handle, gfp] = [owner?.tryField("order"), owner?.tryField("handle"), owner?.tryField("gfp_mask")];
    const bit = kernel.types.constant("PAGE_EXT_OWNER");
    if (
      owner === undefined ||
      ops === undefined ||
      place === undefined ||
      flags === undefined ||
      order === undefined ||
      handle === undefined ||
      bit === undefined
    )
      return "this kernel keeps no owners of pages (CONFIG_PAGE_OWNER), or its vmlinux is needed";
    const extensions = pageExtensions(kernel);
    if (typeof extensions === "string") return extensions;
    const offset = kernel.memory.tryU64(place.address(ops));
    if (offset === undefined || offset > BigInt(extensions.size)) return "the place of struct page_owner is not known (page_owner_ops)";
    const allocatedBit = kernel.types.constant("PAGE_EXT_OWNER_ALLOCATED");
    const field = (name: string) => owner.tryField(name);
    const [freeHandle, stamp, freeStamp, comm, pid] = [
      field("free_handle"),
      field("ts_nsec"),
      field("free_ts_nsec"),
      field("comm"),
      field("pid"),
    ];
    const freePid = field("free_pid");
    const time = (nanoseconds: bigint | undefined) =>
      nanoseconds === undefined || nanoseconds === 0n ? {} : { time: Number(nanoseconds) / 1e9 };
    return {
      extensions,
      offset: Number(offset),
      read(pfn, entry) {
        const word = flags.bigint(entry);
        if (((word >> bit) & 1n) === 0n) return undefined;
        const at = add(entry, offset);
        const blockOrder = order.number(at);
        if (blockOrder > MAX_ORDER) return undefined;
        const freed = freeHandle?.number(at) ?? 0;
        return {
          pfn,
          order: blockOrder,
          allocated: allocatedBit === undefined || ((word >> allocatedBit) & 1n) === 1n,
          gfpMask: gfp?.bigint(at) ?? 0n,
          allocation: {
            source: "page_owner",
            ...trackStack(kernel, handle.number(at)),
            ...(pid === undefined ? {} : { pid: pid.number(at) }),
            ...(comm === undefined ? {} : { comm: comm.string(at) }),
            ...time(stamp?.bigint(at)),
          },
          free:
            freed === 0
              ? undefined
              : {
                  source: "page_owner",
                  ...trackStack(kernel, freed),
                  ...(freePid === undefined ? {} : { pid: freePid.number(at) }),
                  ...time(freeStamp?.bigint(at)),
                },
        };
      },
    };
  });
}

/** Why page_owner has nothing to say; undefined when it has. */
export function pageOwnerLack(kernel: Kernel): string | undefined {
  const layout = ownerLayout(kernel);
  return typeof layout === "string" ? layout : undefined;
}

/** Who owns the page of this frame, or owned it last; undefined when nobody is known. Throws FaultError. */
export function pageOwner(kernel: Kernel, pfn: Pfn): OwnedPages | undefined {
  const layout = ownerLayout(kernel);
  if (typeof layout === "string") return undefined;
  const entry = layout.extensions.at(pfn);
  return entry === undefined ? undefined : layout.read(pfn, entry);
}

/**
 * Every block that page_owner knows, in use or freed, ascending.
 * @param tick told the frame that was reached, now and then
 */
export function* ownedPages(kernel: Kernel, tick?: (pfn: Pfn, total: number) => void): Generator<OwnedPages> {
  const layout = ownerLayout(kernel);
  const map = PageMap.of(kernel);
  if (typeof layout === "string" || map === undefined) return;
  for (let pfn = 0; pfn < map.maxPfn; ) {
    if (pfn % TICK === 0) tick?.(pfn, map.maxPfn);
    const found = readAt(layout, pfn);
    // Every page of a block has its record; a record whose block would begin elsewhere is that of a page within.
    if (found === undefined || pfn % 2 ** found.order !== 0) {
      pfn++;
      continue;
    }
    yield found;
    pfn += found.allocated ? 2 ** found.order : 1;
  }
}

function readAt(layout: OwnerLayout, pfn: Pfn): OwnedPages | undefined {
  const entry = layout.extensions.at(pfn);
  if (entry === undefined) return undefined;
  try {
    return layout.read(pfn, entry);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    return undefined;
  }
}
