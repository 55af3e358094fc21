/**
 * All struct pages of the machine, quickly: a section's page structures lie behind each other, so they are read in pieces of some 64 KiB
 * and looked at through a DataView, without an address or a bigint a page.
 *
 *   section ─► │ page │ page │ page │ … │      piece = 1024 pages of 64 bytes
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FaultError, type InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { memorySections, sectionSizeBits } from "./mem-section.ts";
import { PageMap } from "./page.ts";

/** A run of page structures. */
export interface PageRun {
  readonly firstPfn: number;
  readonly count: number;
  /** struct page of the first frame; the next is `size` bytes on. */
  readonly address: VirtualAddress;
  /** Bytes of a struct page. */
  readonly size: number;
  readonly view: DataView;
}

/** Bytes of page structures in a run. */
const PIECE = 1 << 16;

/**
 * Runs of page structures of all sections that have them, ascending. Holes within a section that have none are left out in silence;
 * page structures that the dump left out are told.
 */
export function* pageRuns(kernel: Kernel, broken: (error: InquestError) => void): Generator<PageRun, void, undefined> {
  const map = PageMap.of(kernel);
  if (map === undefined) throw kernel.types.lack ?? kernel.unknownSymbol("mem_section");
  const perSection = 2 ** (sectionSizeBits(kernel) - kernel.arch.pageShift);
  const size = map.size;
  for (const section of memorySections(kernel, broken)) {
    if (!section.state.includes("M")) continue;
    for (let done = 0; done < perSection; ) {
      const firstPfn = section.startPfn + done;
      const count = Math.min(Math.floor(PIECE / size), perSection - done);
      const address = add(section.coded, BigInt(firstPfn) * BigInt(size));
      const bytes = kernel.memory.tryBytes(address, count * size);
      if (bytes === undefined) yield* readableParts(kernel, firstPfn, count, address, size, broken);
      else yield { firstPfn, count, address, size, view: new DataView(bytes.buffer) };
      done += count;
    }
  }
}

/** What can be read of a piece: page structures one by one, neighbours joined. */
function* readableParts(
  kernel: Kernel,
  firstPfn: number,
  count: number,
  address: VirtualAddress,
  size: number,
  broken: (error: InquestError) => void,
): Generator<PageRun, void, undefined> {
  let told: string | undefined;
  for (let i = 0; i < count; ) {
    const length = readableFrom(kernel, add(address, i * size), count - i, size, (error) => {
      if (error.reason === "unmapped" || error.reason === told) return;
      told = error.reason;
      broken(error);
    });
    if (length > 0) {
      const bytes = kernel.memory.bytes(add(address, i * size), length * size);
      yield { firstPfn: firstPfn + i, count: length, address: add(address, i * size), size, view: new DataView(bytes.buffer) };
    }
    i += Math.max(1, length);
  }
}

function readableFrom(kernel: Kernel, address: VirtualAddress, most: number, size: number, fault: (error: FaultError) => void): number {
  for (let i = 0; i < most; i++) {
    try {
      // First and last byte: a page structure may cross into a page that is not there.
      kernel.memory.u8(add(address, i * size));
      kernel.memory.u8(add(address, (i + 1) * size - 1));
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      fault(error);
      return i;
    }
  }
  return most;
}
