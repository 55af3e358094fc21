/**
 * What a core file can hold of a process's memory: every page of every mapping is looked for once, before anything is written, as the
 * headers stand before the memory.
 *
 *   mapped, and in the dump                        content
 *   not mapped, but its file's page is cached      content, from the page cache
 *   anonymous and never touched                    content: zeroes, a hole in the file
 *   only in its file                               none: a debugger reads it from there
 *   in a swap area, left out of the dump, damaged  none: lost
 *
 * Mappings of devices (VM_IO, VM_PFNMAP) and those that asked to stay out (VM_DONTDUMP) are left out, as the kernel does it.
 */
import { add, type PhysicalAddress, pageNumber, physical, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { filePlace } from "../../linux/file.ts";
import { PageMap } from "../../linux/page.ts";
import { cachedPage, inodeMapping } from "../../linux/page-cache.ts";
import { unlessBroken, untilBroken } from "../../linux/until-broken.ts";
import { UserPages } from "../../linux/user-pages.ts";
import { type Vma, vmas } from "../../linux/vma.ts";
import { vmaName } from "../../linux/vma-name.ts";
import type { Progress } from "../command.ts";
import type { SavedChunk } from "../saved-bytes.ts";
import type { CoreSegment } from "./elf-core.ts";

const VM_PFNMAP = 0x400n;
const VM_IO = 0x4000n;
const VM_DONTDUMP = 0x400_0000n;
/** Pages of one process that are looked at: 16 TiB of 4 KiB pages; sparse ones are skipped by whole tables. */
const MAX_PAGES = 2 ** 32;
/** Bytes written at once. */
const CHUNK = 1 << 18;

/** Where the bytes of a run of pages come from. */
export type RunKind = "memory" | "cache" | "zero" | "file" | "lost" | "left out";

export interface MemoryRun {
  readonly vma: Vma;
  readonly start: VirtualAddress;
  readonly end: VirtualAddress;
  readonly kind: RunKind;
  /** Why it is lost. */
  readonly reason?: string;
}

export interface MappedFile {
  readonly start: bigint;
  readonly end: bigint;
  readonly pageOffset: bigint;
  readonly path: string;
}

/** Pages by kind, and the runs that are lost. */
export interface CoreCounts {
  readonly pages: Record<RunKind, number>;
  /** Pages that were there when the headers were made and could not be read when they were written; they read as zeroes. */
  unreadable: number;
}

const HAS_CONTENT: ReadonlySet<RunKind> = new Set(["memory", "cache", "zero"]);

export class CoreMemory {
  readonly runs: readonly MemoryRun[];
  readonly files: readonly MappedFile[];
  readonly counts: CoreCounts = { pages: { memory: 0, cache: 0, zero: 0, file: 0, lost: 0, "left out": 0 }, unreadable: 0 };
  readonly notes: string[] = [];
  readonly #kernel: Kernel;
  readonly #pages: UserPages;
  readonly #progress: Progress | undefined;
  readonly #mappings = new Map<bigint, VirtualAddress>();
  readonly #shift: number;

  /** @throws InquestError when the process's page tables cannot be found */
  constructor(kernel: Kernel, mm: VirtualAddress, progress: Progress | undefined) {
    this.#kernel = kernel;
    this.#progress = progress;
    this.#shift = kernel.arch.pageShift;
    this.#pages = new UserPages(kernel, mm);
    const all = [...untilBroken(vmas(kernel, mm), (error) => this.notes.push(`the list of mappings ends early: ${error.message}`))];
    this.files = all
      .filter(({ file }) => file !== 0n)
      .map((vma) => ({ start: vma.start, end: vma.end, pageOffset: vma.pageOffset, path: vmaName(kernel, mm, vma) ?? "?" }));
    this.runs = this.#look(all);
  }

  /** Neighbouring runs of one mapping as segments: with content or without. */
  segments(): readonly CoreSegment[] {
    const segments: { start: bigint; end: bigint; hasContent: boolean; flags: number; vma: Vma }[] = [];
    for (const { vma, start, end, kind } of this.runs) {
      const hasContent = HAS_CONTENT.has(kind);
      const last = segments.at(-1);
      if (last !== undefined && last.vma === vma && last.end === start && last.hasContent === hasContent) last.end = end;
      else segments.push({ start, end, hasContent, flags: segmentFlags(vma.flags), vma });
    }
    return segments;
  }

  /** The content of all segments, in their order. */
  *content(): Generator<SavedChunk> {
    const total = this.runs.reduce((sum, { start, end, kind }) => sum + (HAS_CONTENT.has(kind) ? Number(end - start) : 0), 0);
    let done = 0;
    for (const run of this.runs) {
      if (!HAS_CONTENT.has(run.kind)) continue;
      const length = Number(run.end - run.start);
      if (run.kind === "zero") {
        yield length;
        done += length;
        continue;
      }
      for (let at = 0; at < length; at += CHUNK) {
        this.#progress?.("writing memory", done, total);
        const bytes = this.#read(run, add(run.start, at), Math.min(CHUNK, length - at));
        done += bytes.length;
        yield bytes;
      }
    }
  }

  #read(run: MemoryRun, start: VirtualAddress, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const size = this.#kernel.arch.pageSize;
    for (let at = 0; at < length; at += size) {
      const address = add(start, at);
      const target = bytes.subarray(at, Math.min(at + size, length));
      const place = run.kind === "cache" ? this.#cached(run.vma, address) : this.#pages.tables.walk(address).physical;
      const isRead = unlessBroken(
        () => {
          if (place === undefined) return false;
          this.#kernel.physical.readInto(target, place);
          return true;
        },
        () => {},
      );
      if (isRead !== true) this.counts.unreadable++;
    }
    return bytes;
  }

  #look(all: readonly Vma[]): MemoryRun[] {
    const runs: MemoryRun[] = [];
    const total = all.reduce((sum, { start, end }) => sum + Number((end - start) >> BigInt(this.#shift)), 0);
    let seen = 0;
    for (const vma of all) {
      if ((vma.flags & (VM_IO | VM_PFNMAP | VM_DONTDUMP)) !== 0n) {
        this.#push(runs, { vma, start: vma.start, end: vma.end, kind: "left out" });
        continue;
      }
      for (let at = vma.start; at < vma.end; ) {
        if ((seen & 0x3ff) === 0) this.#progress?.("looking for the memory", seen, total);
        if (seen > MAX_PAGES) {
          this.#push(runs, { vma, start: at, end: vma.end, kind: "lost", reason: "too many pages" });
          break;
        }
        const run = this.#runAt(vma, at);
        this.#push(runs, run);
        at = run.end;
        seen++;
      }
    }
    return runs;
  }

  #push(runs: MemoryRun[], run: MemoryRun): void {
    this.counts.pages[run.kind] += Number((run.end - run.start) >> BigInt(this.#shift));
    const last = runs.at(-1);
    if (last !== undefined && last.vma === run.vma && last.end === run.start && last.kind === run.kind && last.reason === run.reason)
      runs[runs.length - 1] = { ...last, end: run.end };
    else runs.push(run);
  }

  /** The page at an address, or the whole stretch that an empty entry of an upper table leaves unmapped. */
  #runAt(vma: Vma, at: VirtualAddress): MemoryRun {
    const one = add(at, this.#kernel.arch.pageSize);
    const walk = this.#pages.tables.walk(at);
    if (walk.physical !== undefined) {
      const reason = this.#missing(walk.physical);
      return reason === undefined ? { vma, start: at, end: one, kind: "memory" } : { vma, start: at, end: one, kind: "lost", reason };
    }
    const last = walk.steps.at(-1);
    if (last !== undefined && last.entry !== 0n) {
      const place = this.#pages.placeOf(walk, at, vma);
      const reason = place.swap?.marker === undefined ? "in a swap area" : "a marker: guard page, migration or poison";
      return { vma, start: at, end: one, kind: "lost", reason: place.swap === undefined ? (walk.reason ?? "page tables") : reason };
    }
    // Cached pages of a file are looked for one by one; the rest of the table is empty at once.
    if (vma.file === 0n) {
      const span = add(at & -(1n << BigInt(this.#levelShift(last?.level))), 1n << BigInt(this.#levelShift(last?.level)));
      const end = span < vma.end && span > at ? (span as VirtualAddress) : vma.end;
      // What a driver maps without a file (vdso) is no zero page.
      return {
        vma,
        start: at,
        end,
        ...(this.#isAnonymous(vma) ? { kind: "zero" } : { kind: "lost", reason: "not mapped" }),
      };
    }
    const cached = this.#cached(vma, at);
    const isThere = cached !== undefined && this.#missing(cached) === undefined;
    return { vma, start: at, end: one, kind: isThere ? "cache" : "file" };
  }

  /** Bits below an entry of a level; of the topmost tables no more than a third-level entry covers. */
  #levelShift(level: string | undefined): number {
    const bits = this.#shift - 3;
    if (level === "PTE") return this.#shift;
    return level === "PMD" ? this.#shift + bits : this.#shift + 2 * bits;
  }

  #isAnonymous(vma: Vma): boolean {
    return this.#kernel.memory.tryU64(this.#kernel.types.struct("vm_area_struct").field("vm_ops").address(vma.address)) === 0n;
  }

  /** Why the frame cannot be read; undefined when it can. */
  #missing(at: PhysicalAddress): string | undefined {
    const memory = this.#kernel.physical;
    const found = memory.page(pageNumber(at, memory.pageShift));
    return typeof found === "number" ? undefined : `${found.reason} in the dump`;
  }

  /** Where the page cache holds the page of a file that is mapped here. */
  #cached(vma: Vma, at: VirtualAddress): PhysicalAddress | undefined {
    const map = PageMap.of(this.#kernel);
    if (map === undefined) return undefined;
    return unlessBroken(
      () => {
        let mapping = this.#mappings.get(vma.file);
        if (mapping === undefined) {
          mapping = inodeMapping(this.#kernel, filePlace(this.#kernel, vma.file).inode);
          this.#mappings.set(vma.file, mapping);
        }
        if (mapping === 0n) return undefined;
        const index = Number(vma.pageOffset + ((at - vma.start) >> BigInt(this.#shift)));
        const page = cachedPage(this.#kernel, mapping, index);
        const pfn = page === undefined ? undefined : map.pfnOf(page);
        return pfn === undefined ? undefined : physical(BigInt(pfn) << BigInt(this.#shift));
      },
      () => {},
    );
  }
}

/** VM_READ 1, VM_WRITE 2, VM_EXEC 4 to PF_X 1, PF_W 2, PF_R 4. */
function segmentFlags(flags: bigint): number {
  const bits = Number(flags & 7n);
  return ((bits & 1) << 2) | (bits & 2) | ((bits & 4) >> 2);
}
