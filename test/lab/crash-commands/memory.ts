/** kmem (but for slabs and the look-up of addresses) and swap. */
import { after, type CompatLine, type Difference, differs, oneLine, ours, same, without } from "../crash-compat-difference.ts";

const committed: Difference = {
  why: "COMMITTED adds what CPUs hold back, as /proc/meminfo does; crash shows the shared part alone",
  holds: without(/^ +COMMITTED/),
};

const verified: Difference = {
  why: "the pages found are held against the count with the CPUs' parts, and then agree; crash leaves the parts out",
  sometimes: true,
  holds: (crash, inquest) => inquest.replace(/: verified, CPUs hold back [-+]\d+\)$/, ")") === crash,
};

const numaEvents: Difference = {
  why: "the NUMA counters of 5.14 and newer are shown too",
  sometimes: true,
  holds: after((text) => text.replace(/ {2}VM_NUMA_EVENT:\n( +NUMA_\w+: \d+\n)+\n/, "")),
};

const blockState: Difference = {
  why: "states of memory blocks are an enumeration since 6.19, and in Debian's 6.12, which crash calls UNKNOWN",
  sometimes: true,
  holds: (crash, inquest) => inquest.replace(/ ONLINE {2}(\d+)$/gm, " UNKNOWN $1") === crash.replace(/ ONLINE {2}(\d+)$/gm, " UNKNOWN $1"),
};

const aligned: Difference = {
  why: "columns are aligned",
  holds: after((text) => text.replace(/ {2,}/g, "  ").replace(/ +$/gm, "")),
};

const members: Difference = {
  why: "counters are decimal numbers and NULL pointers have all their digits; crash prints 24 zeroes and a bare 0",
  holds: (crash, inquest) =>
    /^ff\w{14} {2}00\w{14} {2}ff\w{14},ff\w{14} +-1 +0 +0{16}$/m.test(inquest) &&
    crash
      .split(/\s+/)
      .slice(0, 5)
      .every((word) => inquest.includes(word)),
};

const firstPage: Difference = {
  why: "crash misses the first page of large free blocks, which its own -F lists",
  holds: (crash, inquest) => crash === "" && /\(\w+ is 1st of 1024 pages\)$/.test(inquest),
};

const flagOrder: Difference = {
  why: "flags are named from the lowest bit up; crash has PG_head behind PG_workingset on 6.12",
  sometimes: true,
  holds: after((text) => text.replace(/[a-z_]+(,[a-z_0-9]+)+$/gm, (names) => names.split(",").sort().join(","))),
};

const noneFound: Difference = {
  why: "crash prints nothing: the reason is told",
  holds: (crash, inquest) => crash === "" && /^\(.+\)$/.test(inquest),
};

const noArea: Difference = {
  why: "crash prints the header and no row: that no area holds the address is told",
  holds: after((text) => text.replace(/^\(\w+: in no vmalloc area\)$/m, "").trimEnd()),
};

const pageHash: Difference = { why: "the kernels have no page_hash_table: what to look at instead is told", holds: oneLine };

export const MEMORY: readonly CompatLine[] = [
  ...differs(committed, "kmem -i", "kmem -i=shared"),
  ...differs(verified, "kmem -f", "kmem -F"),
  ...same("kmem -f {free.linear+4096}", "kmem -f -P {free.physical+8192}", "kmem -P -f {free.physical+4096}"),
  ...differs(firstPage, "kmem -f {free.page}", "kmem -f {free.linear}"),
  ...differs(noneFound, "kmem -f {cat}", "kmem -p ffffffffffffffff"),
  ...same("kmem -z", "kmem -h", "kmem -o", "kmem -v"),
  ...same("kmem -v {vmalloc}", "kmem -v {vmalloc+16}"),
  ...differs(noArea, "kmem -v {cat}"),
  ...differs(numaEvents, "kmem -V"),
  ...differs(blockState, "kmem -n"),
  ...same("kmem -g", "kmem -g 800", "kmem -g 800 1000", "kmem -g 4000000000000000", "kmem -g 17ffffc0010200"),
  ...differs(flagOrder, "kmem -p"),
  ...same("kmem -p {page}", "kmem -p {cat}", "kmem -p {cat.page}", "kmem -p -P {cat.page}", "kmem -p {page} {cat}"),
  ...differs(aligned, "kmem -m flags,lru", "kmem -m lru.next,private,index {page}"),
  ...differs(members, "kmem -m flags,lru,_mapcount,_refcount,mapping {free.physical+4096}"),
  ...differs({ why: "the error names the structure", holds: oneLine }, "kmem -m bogus {page}"),
  ...differs(pageHash, "kmem -c", "kmem -C"),
  ...differs(
    { why: "one line tells what to do", holds: ours(/^kmem: [^\n]+$/) },
    "kmem -i -f",
    "kmem -z 0",
    "kmem -F {free.page}",
    "kmem -n 0",
    "kmem",
  ),
  ...same("swap"),
];
