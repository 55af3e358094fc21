/**
 * Where a page of a process is: in memory, in a swap area, still in its file, or nowhere yet. Read from the process's own page tables.
 *
 *   entry present        memory
 *   entry with bits      a swap area and slot, or a marker (pte.ts)
 *   empty, a file        the file at vm_pgoff + distance from the mapping's start
 *   empty, no file       not mapped: it reads as zeroes when it is touched
 */
import type { PageTables, Walk } from "../arch/architecture.ts";
import type { PhysicalAddress, VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { filePath } from "./file.ts";
import { type SwapEntry, swapEntry } from "./pte.ts";
import { unlessBroken } from "./until-broken.ts";
import type { Vma } from "./vma.ts";

/** What lies behind a user address. */
export interface PagePlace {
  /** Of the address itself. */
  readonly physical?: PhysicalAddress;
  readonly swap?: SwapEntry;
  /** Path, and offset in bytes of the page. */
  readonly file?: { readonly path: string; readonly offset: bigint };
}

/** Page tables of a process. @throws InquestError when its page directory cannot be found */
function userTables(kernel: Kernel, mm: VirtualAddress): PageTables {
  return kernel.arch.pageTables(kernel.memory.translate(kernel.types.struct("mm_struct").field("pgd").pointer(mm)));
}

/** Answers for one process; paths of files are read once. */
export class UserPages {
  readonly kernel: Kernel;
  readonly tables: PageTables;
  readonly #paths = new Map<bigint, string>();

  /** @throws InquestError when the page directory cannot be found */
  constructor(kernel: Kernel, mm: VirtualAddress) {
    this.kernel = kernel;
    this.tables = userTables(kernel, mm);
  }

  /** @param vma the mapping that holds the address, where it is known */
  place(address: VirtualAddress, vma: Vma | undefined): PagePlace {
    return this.placeOf(this.tables.walk(address), address, vma);
  }

  /** The same from a walk that was made. */
  placeOf(walk: Walk, address: VirtualAddress, vma: Vma | undefined): PagePlace {
    if (walk.physical !== undefined) return { physical: walk.physical };
    const last = walk.steps.at(-1);
    const swap = last?.level === "PTE" ? swapEntry(this.kernel, last.entry) : undefined;
    if (swap !== undefined) return { swap };
    if (vma === undefined || vma.file === 0n) return {};
    return { file: { path: this.path(vma.file), offset: fileOffset(this.kernel, vma, address) } };
  }

  /** Path of a struct file; "?" where it cannot be read. */
  path(file: VirtualAddress): string {
    let path = this.#paths.get(file);
    if (path === undefined) {
      path =
        unlessBroken(
          () => filePath(this.kernel, file),
          () => {},
        ) ?? "?";
      this.#paths.set(file, path);
    }
    return path;
  }
}

/** Offset in the file of the page at an address of a mapping, in bytes. */
export function fileOffset(kernel: Kernel, vma: Vma, address: VirtualAddress): bigint {
  const page = (address - vma.start) & ~BigInt(kernel.arch.pageSize - 1);
  return (vma.pageOffset << BigInt(kernel.arch.pageShift)) + page;
}
