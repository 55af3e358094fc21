/**
 * Finds VMCOREINFO in memory when the container does not carry it. The kernel keeps the text on a page of its own (vmcoreinfo_data,
 * get_zeroed_page() in kernel/vmcore_info.c, formerly crash_core.c), so it starts at the start of a page:
 *
 *   page:  OSRELEASE=6.1.0-56-cloud-amd64\nBUILD-ID=…\nPAGESIZE=4096\n … \0
 *
 * The page of an earlier kernel may still lie in memory: every candidate must be proved by what it leads to.
 */
import { physical } from "../bytes/address.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";

const START = new TextEncoder().encode("OSRELEASE=");
/** VMCOREINFO_BYTES is a page; the note's header is apart. */
const MAX_TEXT = 1 << 16;

/** Called now and then while all of memory is read, with the share done (0 … 1). */
export type Progress = (done: number) => void;

/** All texts in memory that look like a VMCOREINFO, in order of address. Reads every page of the dump. */
export function* findVmcoreinfo(memory: PhysicalMemory, progress?: Progress): Iterable<string> {
  let total = 0;
  for (const range of memory.dump.ranges) total += Number(range.end - range.start) / memory.pageSize;
  let done = 0;
  for (const range of memory.dump.ranges) {
    const first = Math.ceil(Number(range.start) / memory.pageSize);
    const last = Math.floor(Number(range.end) / memory.pageSize);
    for (let pfn = first; pfn < last; pfn++) {
      if ((++done & 0xffff) === 0) progress?.(done / total);
      const slot = memory.page(pfn);
      if (typeof slot !== "number") continue;
      for (let at = slot; at < slot + memory.pageSize; at += 4096) {
        if (memory.view.getUint8(at) !== START[0] || !startsHere(memory.view, at)) continue;
        const text = textAt(memory, pfn * memory.pageSize + (at - slot));
        if (text !== undefined) yield text;
      }
    }
  }
}

function startsHere(view: DataView, at: number): boolean {
  for (let i = 0; i < START.length; i++) if (view.getUint8(at + i) !== START[i]) return false;
  return true;
}

/** Text up to its NUL; undefined when it does not look like VMCOREINFO to the end. */
function textAt(memory: PhysicalMemory, address: number): string | undefined {
  const bytes: number[] = [];
  for (let i = 0; i < MAX_TEXT; i++) {
    const slot = memory.page(Math.floor((address + i) / memory.pageSize));
    if (typeof slot !== "number") break;
    const byte = memory.view.getUint8(slot + ((address + i) % memory.pageSize));
    if (byte === 0) break;
    if (byte > 0x7e || (byte < 0x20 && byte !== 0x0a)) break;
    bytes.push(byte);
  }
  const text = String.fromCharCode(...bytes);
  return text.includes("\nSYMBOL(swapper_pg_dir)=") ? text : undefined;
}

/** Reads a NUL-terminated text at a physical address, as VMCOREINFO. */
export function vmcoreinfoAt(memory: PhysicalMemory, address: bigint): string | undefined {
  return textAt(memory, Number(physical(address)));
}
