/**
 * What a guest dies of. A scenario is a few lines of shell around a trigger; any kernel can play it. Case ids are
 * `<kernel>-<scenario>` for dumps by the hypervisor and `<kernel>-kdump-<scenario>` for real kdump.
 */
import type { Arch } from "./kernels.ts";
import type { ProgramSet } from "./module-build.ts";

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Lab modules to load before, with their arguments. */
  readonly modules: readonly string[];
  /** Shell that brings the end about. */
  readonly trigger: string;
  /** Shell run at the start, for switches in /proc/sys. */
  readonly before?: string;
  /** Shell run after the truth was recorded and the trigger pulled. */
  readonly after?: string;
  /** Record the truth after the trigger: for kernels that stop rather than die. */
  readonly truthAfterTrigger?: boolean;
  /** Modules, a user program and scripts (`lab/NAME/guest/*.sh`) of its own; see initramfs.ts. */
  readonly extra?: Exclude<ProgramSet, "base">;
  /** More of the kernel's own modules. */
  readonly drivers?: readonly string[];
  /** More disks, by the serial number the guest finds them by. */
  readonly disks?: readonly { readonly serial: string; readonly mebibytes: number }[];
  /** A disk of `disks` that answers no more once the console has said LAB-SLOW, so that requests stay in flight. */
  readonly slowDisk?: string;
  /** Only for these kernels; otherwise for all. */
  readonly kernels?: readonly string[];
  /** Made for benches: tests of every case leave it out. */
  readonly forSpeed?: true;
  /** Only these dumps, where the others would be too large. */
  readonly formats?: readonly string[];
  readonly append?: string;
  readonly memoryMiB?: number;
  readonly cpu?: Readonly<Partial<Record<Arch, string>>>;
  /** Leave qemu_fw_cfg out: the hypervisor then has no VMCOREINFO to put into its dumps. */
  readonly withoutVmcoreinfo?: boolean;
  /** An NMI from the hypervisor ends it. */
  readonly injectNmi?: boolean;
  /** Devices that the machine has beside the usual ones, as QEMU's -device takes them. */
  readonly devices?: readonly string[];
  /** Commands to the hypervisor's monitor once the trigger was pulled. */
  readonly monitor?: readonly string[];
  readonly archs?: readonly Arch[];
  /** How many processes' stacks are recorded. */
  readonly taskLimit?: number;
  /** What the console says of the end. */
  readonly panic: RegExp;
}

const trigger = (module: string, mode: string) => `echo ${mode} > /sys/module/${module}/parameters/trigger`;
const SYSRQ = "echo c > /proc/sysrq-trigger";
const FATAL = /Fatal exception/;

const VIEWS: Scenario = {
  name: "views",
  about: "kernel objects and user processes of every kind, with their truth (lab/views); sysrq-c while CPU 1 spins on a spinlock",
  extra: "views",
  modules: ["lab_views"],
  drivers: ["zram", "lzo_rle", "dummy", "veth"],
  disks: [
    { serial: "swap", mebibytes: 32 },
    { serial: "slow", mebibytes: 8 },
  ],
  slowDisk: "slow",
  append: "slub_debug=FZPU,lab_views_tracked",
  memoryMiB: 320,
  trigger: ". /lab/views/last.sh",
  panic: /sysrq triggered crash/,
};

/** Every scenario. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "null",
    about: "a module writes through a NULL pointer, four functions deep, in process context",
    modules: ["lab_fault", "lab_irq", "lab_hang", "lab_slab", "lab_objects"],
    trigger: trigger("lab_fault", "null"),
    panic: FATAL,
  },
  {
    name: "bare",
    about: "sysrq-c; no VMCOREINFO in the dump; four-level page tables on x86-64",
    modules: ["lab_objects"],
    trigger: SYSRQ,
    withoutVmcoreinfo: true,
    cpu: { amd64: "qemu64" },
    panic: /sysrq triggered crash/,
  },
  {
    name: "timer",
    about: "a module's timer callback writes through a NULL pointer (softirq)",
    modules: ["lab_irq", "lab_many count=20"],
    trigger: trigger("lab_irq", "timer"),
    panic: /Fatal exception in interrupt/,
  },
  {
    name: "nokaslr",
    about: "sysrq-c without address randomisation",
    modules: ["lab_fault"],
    trigger: SYSRQ,
    append: "nokaslr",
    panic: /sysrq triggered crash/,
  },
  {
    name: "irq",
    about: "a NULL write in an irq_work callback (hard interrupt)",
    modules: ["lab_irq"],
    trigger: trigger("lab_irq", "irq"),
    panic: FATAL,
  },
  { name: "work", about: "a NULL write in a workqueue worker", modules: ["lab_irq"], trigger: trigger("lab_irq", "work"), panic: FATAL },
  {
    name: "ipi",
    about: "panic() in an interrupt on the other CPU",
    modules: ["lab_irq"],
    trigger: trigger("lab_irq", "panic"),
    panic: /told to die/,
  },
  {
    name: "wild",
    about: "a write through a non-canonical pointer",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "wild"),
    panic: FATAL,
  },
  {
    name: "call",
    about: "a call through a NULL function pointer",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "call"),
    panic: FATAL,
  },
  { name: "bug", about: "BUG() in a module", modules: ["lab_fault"], trigger: trigger("lab_fault", "bug"), panic: FATAL },
  {
    name: "warn",
    about: "WARN() with panic_on_warn",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "warn"),
    append: "panic_on_warn=1",
    panic: /panic_on_warn set/,
  },
  {
    name: "panic",
    about: "panic() called by a module",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "panic"),
    panic: /request 42 of lab-owner lost/,
  },
  {
    name: "stack",
    about: "endless recursion: kernel stack overflow, a double fault on x86-64",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "stack"),
    panic: /end Kernel panic/,
  },
  {
    name: "hung",
    about: "two kernel threads deadlock on two mutexes, three more queue; the hung-task detector panics",
    modules: ["lab_hang"],
    before: "echo 0 > /proc/sys/kernel/hung_task_timeout_secs",
    trigger: trigger("lab_hang", "mutex"),
    after: "echo 1 > /proc/sys/kernel/hung_task_panic; echo 3 > /proc/sys/kernel/hung_task_timeout_secs",
    truthAfterTrigger: true,
    panic: /hung_task: blocked tasks/,
  },
  {
    name: "rwsem",
    about: "a reader sleeps holding a rw_semaphore, a writer hangs on it",
    modules: ["lab_hang"],
    before: "echo 0 > /proc/sys/kernel/hung_task_timeout_secs",
    trigger: trigger("lab_hang", "rwsem"),
    after: "echo 1 > /proc/sys/kernel/hung_task_panic; echo 3 > /proc/sys/kernel/hung_task_timeout_secs",
    truthAfterTrigger: true,
    panic: /hung_task: blocked tasks/,
  },
  {
    name: "soft",
    about: "a thread spins with preemption off: soft lockup",
    modules: ["lab_hang"],
    before: "echo 1 > /proc/sys/kernel/softlockup_panic; echo 2 > /proc/sys/kernel/watchdog_thresh",
    trigger: trigger("lab_hang", "soft"),
    panic: /softlockup: hung tasks/,
  },
  {
    name: "rcu",
    about: "a thread spins with preemption off: RCU stall",
    modules: ["lab_hang"],
    before: "echo 0 > /proc/sys/kernel/softlockup_panic; echo 1 > /proc/sys/kernel/panic_on_rcu_stall",
    append: "rcupdate.rcu_cpu_stall_timeout=3",
    trigger: trigger("lab_hang", "soft"),
    panic: /RCU Stall/i,
  },
  {
    name: "spin",
    about: "both CPUs spin on each other's spinlocks with interrupts off, until an NMI panics",
    modules: ["lab_hang"],
    before: "echo 1 > /proc/sys/kernel/unknown_nmi_panic",
    trigger: trigger("lab_hang", "spin"),
    injectNmi: true,
    archs: ["amd64"],
    panic: /NMI: Not continuing/,
  },
  {
    name: "nmi",
    about: "an NMI from outside on an idle machine (unknown_nmi_panic)",
    modules: ["lab_fault"],
    before: "echo 1 > /proc/sys/kernel/unknown_nmi_panic",
    trigger: "true",
    injectNmi: true,
    archs: ["amd64"],
    panic: /NMI: Not continuing/,
  },
  {
    name: "uaf",
    about: "use after free, with slab poisoning and owner tracking",
    modules: ["lab_slab"],
    append: "slub_debug=FZPU slab_debug=FZPU",
    trigger: trigger("lab_slab", "uaf"),
    panic: FATAL,
  },
  {
    name: "overflow",
    about: "a write past a slab object, found at free by its red zone; then sysrq-c",
    modules: ["lab_slab"],
    append: "slub_debug=FZPU slab_debug=FZPU",
    trigger: `${trigger("lab_slab", "overflow")}; ${SYSRQ}`,
    panic: /end Kernel panic/,
  },
  {
    name: "double",
    about: "a double free of a slab object; then sysrq-c where the kernel stays silent",
    modules: ["lab_slab"],
    trigger: `${trigger("lab_slab", "double")}; ${SYSRQ}`,
    panic: /end Kernel panic/,
  },
  {
    name: "list",
    about: "list_del() of an entry whose neighbour was overwritten; then sysrq-c",
    modules: ["lab_slab"],
    append: "panic_on_warn=1",
    trigger: `${trigger("lab_slab", "list")}; ${SYSRQ}`,
    panic: /end Kernel panic/,
  },
  {
    name: "leak",
    about: "a slab cache eats all memory; panic_on_oom",
    modules: ["lab_slab"],
    before: "echo 1 > /proc/sys/vm/panic_on_oom",
    trigger: trigger("lab_slab", "leak"),
    panic: /Out of memory/,
  },
  {
    name: "many",
    about: "five thousand sleeping kernel threads, then sysrq-c",
    modules: ["lab_many count=5000"],
    memoryMiB: 768,
    append: "pid_max=32768",
    trigger: SYSRQ,
    taskLimit: 200,
    panic: /sysrq triggered crash/,
  },
  {
    name: "max",
    about: "the NULL write on the newest CPU QEMU has: pointer authentication and large virtual addresses on arm64",
    modules: ["lab_fault"],
    cpu: { arm64: "max" },
    trigger: trigger("lab_fault", "null"),
    panic: FATAL,
  },
  VIEWS,
  {
    ...VIEWS,
    name: "objects",
    about: "views with 1.2 million slab objects more, one in ten of them free",
    modules: ["lab_views many=1200000"],
    memoryMiB: 640,
    kernels: ["6.1-amd64"],
    forSpeed: true,
  },
  {
    name: "many20k",
    about: "twenty thousand sleeping kernel threads, then sysrq-c",
    before: "echo 60000 > /proc/sys/kernel/threads-max",
    modules: ["lab_many count=20000"],
    memoryMiB: 1536,
    append: "pid_max=65536",
    trigger: SYSRQ,
    taskLimit: 50,
    kernels: ["6.1-amd64"],
    forSpeed: true,
    panic: /sysrq triggered crash/,
  },
  {
    name: "full4g",
    about: "4 GiB of memory, most of it filled with random data in a tmpfs, then sysrq-c",
    before: "mkdir /fill; mount -t tmpfs -o size=3500m tmpfs /fill; dd if=/dev/urandom of=/fill/data bs=1M count=3400 2>/dev/null",
    modules: ["lab_objects"],
    memoryMiB: 4096,
    trigger: SYSRQ,
    kernels: ["6.1-amd64"],
    forSpeed: true,
    formats: ["elf"],
    panic: /sysrq triggered crash/,
  },
];
