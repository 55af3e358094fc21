/**
 * What a task waits for that sleeps for a flag of a page (mm/filemap.c): its lock, or the end of its writing; and whether a file, and so a
 * disk, has to do with it.
 *
 *   lock_page()             PG_locked      whoever locked it unlocks it: for a page that is being read the end of the reading does
 *   wait_on_page_writeback  PG_writeback   the end of the writing clears it
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { inodeName } from "../../linux/inode-name.ts";
import { PageMap } from "../../linux/page.ts";
import { guarded } from "../guarded.ts";
import type { Evidence } from "../verdict.ts";
import type { Standstill } from "./standstill.ts";

interface PageWait {
  readonly page: VirtualAddress;
  readonly flag: string | undefined;
  /** Names of the flags that are set. */
  readonly set: readonly string[];
  readonly flagsAt: VirtualAddress;
  readonly flags: bigint;
  /** The file whose page it is; null: none. */
  readonly file: string | null | undefined;
}

function pageWait(still: Standstill, task: VirtualAddress): PageWait | undefined {
  const { kernel } = still;
  const wait = still.waitOf(task);
  const map = wait?.kind === "folio" && wait.lock !== undefined ? PageMap.of(kernel) : undefined;
  const page = wait?.lock;
  const field = map?.page.firstField("flags.f", "flags");
  if (map === undefined || page === undefined || field === undefined) return undefined;
  return guarded(() => {
    const flags = map.flags(page);
    const set = map.flagNames(flags).map((name) => name.replace(/^PG_/, ""));
    return { page, flag: wait?.flag?.replace(/^PG_/, ""), set, flagsAt: field.address(page), flags, file: fileOf(still, map, page, set) };
  });
}

/** Only struct address_space.host leads to an inode: anonymous pages and those of drivers have none. */
function fileOf({ kernel }: Standstill, map: PageMap, page: VirtualAddress, set: readonly string[]): string | null | undefined {
  if (set.includes("slab")) return null;
  const mapping = map.page.tryField("mapping")?.pointer(page);
  const host = kernel.types.tryStruct("address_space")?.tryField("host");
  if (mapping === undefined || host === undefined) return undefined;
  // A page that is read from swap has no mapping yet either.
  if (set.some((name) => /^(?:swapbacked|swapcache|owner_priv_1|owner_2|anon_exclusive)$/.test(name))) return undefined;
  if (mapping === 0n || (mapping & 3n) !== 0n) return null;
  const inode = guarded(() => host.pointer(mapping));
  return inode === undefined || inode === 0n ? undefined : inodeName(kernel, virtual(inode));
}

/** In a sentence: the flag, whether it is set still, the file. Empty when it waits for no page. */
export function pageLines(still: Standstill, task: VirtualAddress): string[] {
  const found = pageWait(still, task);
  if (found === undefined) return [];
  const { flag, set, file } = found;
  const what = flag === "writeback" ? "the page to be written" : "the page's lock";
  const woken = flag === undefined || set.includes(flag) ? "" : ", which is clear by now: it was just woken";
  const written = set.includes("writeback");
  const of =
    file === null
      ? ` The page belongs to no file${written ? "" : ", and nothing of it is being written: no disk is involved, somebody locked it and did not unlock it"}.`
      : file === undefined
        ? ""
        : ` It is a page of ${file}${written ? ", being written" : set.includes("uptodate") ? "" : ", which is not read yet"}.`;
  return [`It waits for ${what}${flag === undefined ? "" : ` (PG_${flag})`}${woken}.${of}`];
}

/** The page's word of flags. */
export function pageEvidence(still: Standstill, task: VirtualAddress): Evidence[] {
  const found = pageWait(still, task);
  if (found === undefined) return [];
  return [
    {
      claim: `flags of the page at ${found.page.toString(16)}: ${found.set.join(", ") || "none"}`,
      command: `rd ${found.flagsAt.toString(16)}`,
      values: [{ address: found.flagsAt, value: found.flags }],
    },
  ];
}
