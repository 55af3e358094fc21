/** kmem -s, -S, -r, -I: slab caches. */
import { after, type CompatLine, differs, oneLine, same } from "../crash-compat-difference.ts";

/** An object of a CPU's slab that lies in the slab's own list. */
const CPU_CACHE = / {2}\(cpu \d+ cache\)$/gm;
/** Numbers of a cache's row, and what crash says of lists of full slabs. */
const NUMBERS = /^([0-9a-f]{16}) +\d+ +\d+ /gm;
const FULL = /^(NODE \d+ FULL:)\n {2}\((empty|not tracked)\)$/gm;

const plain = (text: string) => text.replace(CPU_CACHE, "").replace(FULL, "$1");

const lists = {
  why: "crash calls every free object of a CPU's slab (cpu n cache), also those that another CPU freed into the slab's own list; on 6.9 and later it looks for SLAB_STORE_USER at its old bit and takes full slabs for tracked",
  sometimes: true,
  holds: after(plain),
} as const;

export const SLAB: readonly CompatLine[] = [
  ...same(
    "kmem -s kmalloc-64",
    "kmem -s task_struct",
    "kmem -s list",
    "kmem -S list",
    "kmem -s {cat}",
    "kmem -s {cat+8}",
    "kmem -s {cat.cache}",
    "kmem -s -I kmalloc-64 kmalloc-64",
    "kmem -S -I kmalloc-64 kmalloc-64",
    "kmem -s -I nosuch kmalloc-32",
  ),
  ...differs(lists, "kmem -S {cat.mm}", "kmem -S kmalloc-1k", "kmem -S=a TCP", "kmem -S task_struct", "kmem -S=0-1 filp"),
  ...differs(
    {
      why: "crash leaves the slabs that wait for a CPU out of the free objects of some caches on 6.12: its row says 39 objects in use where its own -S lists all of them as free",
      sometimes: true,
      holds: after((text) => text.replace(NUMBERS, "$1 ")),
    },
    "kmem -s",
    "kmem -s -I kmalloc-64,dentry",
  ),
  ...differs(
    { why: "as for -S of one cache, and the row of -s", sometimes: true, holds: after((text) => plain(text).replace(NUMBERS, "$1 ")) },
    "kmem -S",
    "kmem -S -I dentry,inode_cache",
  ),
  ...differs(
    {
      why: "PER-CPU counts the slabs of all CPUs, not only of those that are shown",
      sometimes: true,
      holds: after((text) => plain(text).replace(/^([0-9a-f]{16} +\d+ +\d+ +\d+) +\d+$/gm, "$1")),
    },
    "kmem -S=0 kmalloc-1k",
    "kmem -S=1 kmalloc-1k",
  ),
  ...differs(
    { why: "crash says nothing of a cache that does not exist", holds: (_crash, inquest) => inquest.includes("no slab cache named") },
    "kmem -s nosuch",
    "kmem -S nosuch",
  ),
  ...differs(
    { why: "one line, which says what is wrong", holds: oneLine },
    "kmem -r",
    "kmem -r list",
    "kmem -s kmalloc-64 TCP",
    "kmem -S=77 TCP",
    "kmem -s {jiffies}",
  ),
];
