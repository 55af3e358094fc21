/** What addresses are: kmem ADDRESS; search; pte; words by name (rd -S, bt -F); wr, rustfilt. */
import { after, type CompatLine, type Difference, differs, normal, oneLine, ours, same } from "../crash-compat-difference.ts";

const letters: Difference = {
  why: "symbols have the letters of /proc/kallsyms; crash has ? for a module's data, and the file and line of its vmlinux",
  sometimes: true,
  holds: after((text) =>
    text.replace(/^(\S{16}) \(.\) (\S+)(.*)$/m, (_all, at, name, rest) => `${at} ${name}${/ \[\w+\]/.exec(rest)?.[0] ?? ""}`),
  ),
};

const remoteFree: Difference = {
  why: "crash says (cpu n cache) of every free object of a CPU's slab; those that other CPUs freed wait in the slab's own freelist",
  sometimes: true,
  holds: after((text) => text.replace(/^( {3}[0-9a-f]{16}) {2}\(cpu \d+ cache\)$/gm, "$1")),
};

const kernelThread: Difference = {
  why: "the outermost frame's words reach to the end of the stack; of two symbols at one address crash takes another one",
  sometimes: true,
  holds: (crash, inquest) => {
    const plain = (text: string) => normal(text.replace(/\b(__key\.\d+|kthread_create_lock)\b */g, "alias "));
    return plain(inquest).startsWith(plain(crash));
  },
};

const more = (why: string, pattern: RegExp): Difference => ({
  why,
  holds: (crash, inquest) => inquest.startsWith(crash) && pattern.test(inquest.slice(crash.length)),
});

const largestBlocks: Difference = {
  why: "crash does not find the first page of the largest free blocks, which kmem -f of its own lists",
  sometimes: true,
  holds: (crash, inquest) => inquest.endsWith(crash) && /is 1st of 1024 pages\)/.test(inquest),
};

/** On x86-64 crash reads the image's mapping by arithmetic: below the image and behind it nothing is mapped there. */
const image: Difference = {
  why: "the kernel image is searched where the page tables map it; crash shows what lies around it again, at addresses that nothing maps",
  sometimes: true,
  holds: (crash, inquest) => {
    const theirs = crash.split("\n");
    const own = new Set(inquest.split("\n"));
    const alias = /^(ffffffff[89ab][0-9a-f]{7}): (.*)$/;
    return (
      inquest.split("\n").every((line) => theirs.includes(line)) &&
      theirs.every((line) => own.has(line) || (alias.test(line) && inquest.includes(`: ${(alias.exec(line)?.[2] ?? "").slice(0, 20)}`)))
    );
  },
};

export const ADDRESSES: readonly CompatLine[] = [
  // A task, its stack, slab objects in use and free, pages of every kind, modules.
  ...same("kmem {cat}", "kmem {cat.tasks}", "kmem {cat.mm}", "kmem {cat.vma}", "kmem {cat.inode}", "kmem {cat.sp}", "kmem {cat.cache}"),
  ...same("kmem {cat} {cat.mm}", "kmem {object.cpu}", "kmem {init_task}", "kmem {init_task+8}", "kmem {kthreadd}"),
  ...differs(remoteFree, "kmem {object.slab}"),
  ...same("kmem {cat.pgd}", "kmem {cat.page}", "kmem -P {cat.page}", "kmem {page}", "kmem {page+64}", "kmem {page+8}"),
  ...same("kmem -P {phys}", "kmem 0", "kmem 1000", "kmem {jiffies}", "kmem {linux_banner}"),
  ...differs(largestBlocks, "kmem {free.page}", "kmem {free.physical}", "kmem -P {free.physical}", "kmem {free.linear}"),
  ...same("kmem {free.inside}"),
  ...differs(letters, "kmem {schedule+4}", "kmem {module}", "kmem {lab_objects_list+8}", "kmem {lab_fault_submit+4}"),
  ...differs(
    more("a per-CPU variable is named", /\(\w+: per-CPU variable runqueues of CPU 0 \(__percpu pointer 0x\w+\)\)$/),
    "kmem {runqueues.0}",
  ),
  ...differs(more("a CPU's own stack is named", /\(\w+: on the irq stack of CPU 0, 0x3f00 of 0x4000 bytes/), "kmem {irqstack.0}"),
  ...same("set {cat.pid}"),
  ...differs(
    { why: "user memory of the context task is looked up", holds: ours(/\(\w+: in the mapping \w+ - \w+ of task \d+ /) },
    "kmem {user.stack}",
  ),
  ...differs(
    { why: "what cannot be read is told with its reason; the vmalloc area is there", holds: ours(/not mapped/) },
    "kmem {cat.guard}",
  ),
  ...differs({ why: "poison is named", holds: ours(/poison LIST_POISON1/) }, "kmem dead000000000100"),
  ...differs({ why: "crash takes no symbols here", holds: ours(/^[0-9a-f]{16} \(D\) init_task$/m) }, "kmem init_task"),
  ...differs({ why: "the error says more: the nearest names", holds: oneLine }, "kmem nosuchsymbol"),

  // search: every space and form.
  ...differs(
    image,
    "search init_task",
    "search -k {cat}",
    "search -K init_task",
    "search {cat} {cat.mm} linux_banner",
    "search -m ff {cat}",
  ),
  ...differs(image, "search -w -m ff00 57ac6e9d", "search -c swapper/0", 'search -c "Linux version" "Kernel panic - not"'),
  ...same("search -V init_task", "search -V {cat}", "search -u {user}", "search -u -c ELF", "search -p init_task", "search -p -w 57ac6e9d"),
  ...same(
    'search -p -c "Linux version"',
    "search -t {cat}",
    "search -T -m fff {init_task}",
    "search -t -x 1 {cat}",
    "search -t -w 57ac6e9d",
  ),
  ...same("search -s {cat} -l 4096 {cat.tasks+16}", "search -s {cat} -l 0x2000 init_task", "search -s {cat} -e {cat+4096} {cat}"),
  ...same("search -s {cat+1} -l 64 -w 0", "search -x 2 -s {cat} -l 8192 {cat}", "search -x 3 -w -s {cat} -l 8192 {cat.pid.hex}"),
  ...same(
    "search -h -s {cat} -l 4096 -x 2 {cat.pid.hex}",
    "search -h -m f -s {cat} -l 512 6",
    "search -s {cat} -l 8192 -m ffffffffffff {cat}",
  ),
  ...differs({ why: "the error says more", holds: oneLine }, "search", "search nosuchsymbol", "search -k -u 1", "search -s 0 -e 1000 1"),
  ...same("search -h 12345", "search -w 123456789", "search -x 100000 0", "search -c -x 2 a"),
  ...differs({ why: "the error says more", holds: oneLine }, "search -k -u 1", "search -s 0 -e 1000 1", "search -t -s {cat} 1"),

  // pte.
  ...same("pte 3f1ab067", "pte 800000003f1ab067", "pte e3", "pte 0", "pte 25 800000003f1ab163"),
  ...differs(
    { why: "an entry that is no slot of a swap area is explained", holds: ours(/type \d+, offset \d+: no swap area/) },
    "pte 7ffffffffff000",
  ),
  ...differs({ why: "the error says more", holds: oneLine }, "pte nosuch"),

  // Words by name.
  ...same("rd -S {cat} 64", "rd -SS {cat} 64", "rd -S {cat.sp} 64", "rd -SS {cat.sp} 64", "rd -s {cat} 64", "rd -SS {cat.mm} 32"),
  ...same("bt -F {cat}", "bt -FF {cat}"),
  ...differs(kernelThread, "bt -F {kthreadd}", "bt -FF {kthreadd}"),

  ...differs({ why: "the reason is told", holds: (crash, inquest) => inquest.startsWith(crash) }, "wr jiffies 0"),
  ...same("rustfilt _ZN4core9panicking5panic17h0123456789abcdefE"),
];
