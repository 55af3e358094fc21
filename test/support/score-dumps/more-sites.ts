/**
 * More live pointers: timers of each CPU, nodes of the page cache, pages on the lists of reclaim, sockets, credentials.
 *
 *   timer_bases[n].vectors[] ─► timer_list.entry         inode.i_data.i_pages ─► xa_node       file ─► socket ─► sock
 */
import { add, type VirtualAddress, virtual } from "../../../src/bytes/address.ts";
import { InquestError } from "../../../src/bytes/errors.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { PageMap, pageFlagBits } from "../../../src/linux/page.ts";
import type { Sites } from "./sites.ts";

/** Adds what this kernel has of them. */
export function collectMore(kernel: Kernel, sites: Sites): void {
  for (const collect of [timers, pageCache, reclaimLists, sockets, credentials]) {
    try {
      collect(kernel, sites);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
}

function timers(kernel: Kernel, sites: Sites): void {
  const bases = kernel.address("timer_bases");
  const base = kernel.types.struct("timer_base");
  const vectors = base.field("vectors");
  const { offset } = kernel.types.struct("timer_list").field("entry");
  for (let cpu = 0; cpu < kernel.perCpuOffsets.length; cpu++) {
    if (kernel.perCpuOffsets[cpu] === undefined) continue;
    for (let n = 0; n < 2; n++) {
      const first = vectors.address(add(kernel.perCpuAddress(bases, cpu), n * base.size));
      for (let i = 0; i * 8 < vectors.size; i++) {
        let node = kernel.memory.u64(add(first, i * 8));
        for (let steps = 0; node !== 0n && steps < 50; steps++, node = kernel.memory.u64(virtual(node))) {
          const timer = add(virtual(node), -offset);
          sites.add("hlist", "timers", "timer_list", "entry.pprev", timer);
          sites.add("ops", "timer functions", "timer_list", "function", timer);
        }
      }
    }
  }
}

/** Objects of a type that the sites lead to. */
function objectsOf(sites: Sites, type: string): readonly VirtualAddress[] {
  return [...new Set(sites.pointers.filter((site) => site.type === type).map(({ object }) => object))];
}

function pageCache(kernel: Kernel, sites: Sites): void {
  const head = kernel.types.struct("inode").field("i_data.i_pages.xa_head");
  for (const inode of objectsOf(sites, "inode")) {
    const entry = head.pointer(inode);
    // An internal entry that is a node (lib/xarray.c, xa_is_node).
    if ((entry & 3n) !== 2n || entry < 4096n) continue;
    const node = virtual(entry & ~3n);
    for (const member of ["array", "parent"]) sites.add("tree", "page cache", "xa_node", member, node);
  }
}

function reclaimLists(kernel: Kernel, sites: Sites): void {
  const map = PageMap.of(kernel);
  const lru = pageFlagBits(kernel).find(({ name }) => name === "PG_lru")?.bit;
  if (map === undefined || lru === undefined) return;
  for (let pfn = 0, found = 0; pfn < map.maxPfn && found < 100; pfn += 61) {
    const page = map.pageOf(pfn);
    const flags = page === undefined ? undefined : kernel.memory.tryU64(page);
    if (page === undefined || flags === undefined || ((flags >> BigInt(lru)) & 1n) === 0n) continue;
    // A tail has other things in that place.
    if (map.compoundHead(page) !== page) continue;
    sites.list("pages on LRU lists", "page", "lru", page);
    found++;
  }
}

function sockets(kernel: Kernel, sites: Sites): void {
  const operations = kernel.address("socket_file_ops");
  const file = kernel.types.struct("file");
  const socket = kernel.types.struct("socket");
  for (const object of objectsOf(sites, "file")) {
    if (file.field("f_op").pointer(object) !== operations) continue;
    const at = file.field("private_data").pointer(object);
    sites.add("ops", "socket.ops", "socket", "ops", at);
    sites.add("pointer", "socket.sk", "socket", "sk", at);
    const sock = socket.field("sk").pointer(at);
    if (sock === 0n) continue;
    sites.add("ops", "sock.skc_prot", "sock", "__sk_common.skc_prot", sock);
    sites.add("pointer", "sock.sk_socket", "sock", "sk_socket", sock);
  }
}

function credentials(kernel: Kernel, sites: Sites): void {
  const cred = kernel.types.struct("task_struct").field("cred");
  for (const task of sites.tasks)
    for (const member of ["user", "user_ns", "group_info"]) sites.add("pointer", "cred", "cred", member, cred.pointer(task));
}
