/**
 * What people ask of structures, expressions, lists and trees when a vmlinux is there: lines for crash 9 (and the gdb within it) and for
 * Inquest, both with the vmlinux, each section in one session. Unlisted answers must be equal letter for letter, spaces at the ends of
 * lines aside; `{name}` is a value of the dump at hand (crash-compat-run.ts).
 *
 * Lines marked with `alone` need no more than the dump: Inquest without the vmlinux must print the very same.
 */
import { after, type CompatLine, type Difference, differs, linesIn, oneLine, ours, same } from "./crash-compat-difference.ts";

export interface DebugLine extends CompatLine {
  /** BTF is enough. */
  readonly alone: boolean;
}

const alone = (...lines: readonly (readonly CompatLine[])[]): DebugLine[] => lines.flat().map((line) => ({ ...line, alone: true }));
const withVmlinux = (...lines: readonly (readonly CompatLine[])[]): DebugLine[] => lines.flat().map((line) => ({ ...line, alone: false }));

const more = (why: string, pattern: RegExp): Difference => ({ why, holds: ours(pattern) });
const errorText = (why: string): Difference => ({ why: `the error says more: ${why}`, holds: oneLine });

const anonymousMember: Difference = {
  why: "a member of an anonymous union stands as the others do, and ends with a comma",
  sometimes: true,
  holds: after((text) => text.replace(/^ +|,$/gm, "")),
};
const memberOffset: Difference = {
  why: "a member of an anonymous union is not indented in a definition",
  holds: after((text) => text.replace(/\] +/g, "] ")),
};
/** kallsyms has no sizes: what lies behind a variable, up to the next one, is still its. */
const symbolEnd: Difference = {
  why: "kallsyms has no sizes: what lies behind a variable, up to the next one, still has its name",
  sometimes: true,
  holds: after((text) => text.replace(/ <\w+(\+\d+)?>/g, "")),
};
const otherName: Difference = { ...symbolEnd, why: "of two symbols of one address crash and kallsyms name different ones" };
const arrayLength: Difference = {
  sometimes: true,
  why: "an array's length is known from its definition or the next symbol; gdb takes a declaration without one",
  holds: (_crash, inquest) => /= *\n? *\{/.test(inquest) || /\[\d+\]/.test(inquest),
};

const STRUCT: readonly DebugLine[] = [
  ...alone(
    same("struct task_struct.sched_info {cat}", "struct task_struct.se.load.weight,prio {cat}", "struct page.flags,_refcount {page}"),
    same("struct -o task_struct.se", "struct -o task_struct.thread_info", "struct -p task_struct.mm,parent {cat} | head -40"),
    same("struct -p list_head {cat.tasks}", "struct vm_area_struct.vm_mm,vm_ops {cat.vma}", "struct vm_area_struct -x {cat.vma}"),
    same(
      "struct module.name,state,version,srcversion {module}",
      "struct module.mkobj.kobj.name {module}",
      "struct module.list,args {module}",
    ),
    same(
      "struct rq.cfs runqueues:0 | head -30",
      "struct rq.cfs.nr_running runqueues:a",
      "struct rq.cpu runqueues:",
      "struct -o rq.cpu runqueues:0",
    ),
    same(
      "struct -r list_head modules",
      "struct list_head -x modules",
      "struct list_head -c -2 modules",
      "struct -l list_head.prev list_head {modules+8}",
    ),
    same("struct timespec64", "struct -x timespec64", "struct -o -x timespec64", "struct -ox task_struct | head -20"),
    same(
      "struct file_operations | head",
      "struct -o file_operations | head",
      "struct mutex module_mutex",
      "struct rw_semaphore",
      "struct qspinlock",
    ),
    same("union sigval", "struct cred init_cred", "struct cred.uid,gid init_cred", "struct nsproxy init_nsproxy", "struct new_utsname"),
    same("struct uts_namespace.name init_uts_ns", "struct pid_namespace.pid_cachep init_pid_ns", "struct cpumask __cpu_online_mask"),
    same(
      "struct sched_entity.run_node {cat}",
      "struct inode | head -20",
      "struct qstr",
      "struct kmem_cache | head -30",
      "struct work_struct",
    ),
    same(
      "struct work_struct.func",
      "struct file.f_op",
      "struct super_block.s_id",
      "struct irq_desc | head -30",
      "struct sk_buff | head -60",
    ),
    same(
      "struct sk_buff -o | head -90",
      "struct gate_struct",
      "struct desc_struct",
      "struct bpf_insn",
      "struct iphdr -o",
      "struct ethhdr",
      "struct tcphdr",
    ),
    same(
      "* task_struct.comm {cat}",
      "page.flags {page}",
      "rq.cpu runqueues:1",
      "struct hrtimer_cpu_base.clock_base hrtimer_bases:0 | head -50",
    ),
    differs(
      anonymousMember,
      "struct task_struct.thread {cat}",
      "struct task_struct.rcu {cat}",
      "struct page.lru {page}",
      "struct page.compound_head {page}",
      "struct mm_struct.owner,exe_file {cat.mm}",
      "struct mm_struct.mmap_lock {cat.mm}",
      "struct mm_struct.rss_stat {cat.mm}",
    ),
    differs(memberOffset, "struct -o page.lru", "struct page.lru"),
    differs(more("pointers are followed", /^ {2}mm->pgd = 0x[0-9a-f]+,$/m), "struct task_struct.mm->pgd {cat}"),
    differs(more("pointers are followed", /^ {2}signal\.oom_mm = 0x0,$/m), "struct task_struct.signal.oom_mm {cat}"),
    differs(more("elements of arrays are members too", /^ {2}pid_links\[1\] = \{$/m), "struct task_struct.pid_links[1] {cat}"),
    differs(more("slices of arrays are members too", /^ {2}comm\[0\.\.2\] = "cat",$/m), "struct task_struct.comm[0..2] {cat}"),
    differs(
      more("nested members have a definition", /\] struct rb_node se\.run_node;/),
      "struct task_struct.se.run_node",
      "struct -o task_struct.se.run_node",
    ),
    differs(errorText("the nearest names"), "struct task_struct.flagz,pid {cat}", "union ktime", "struct thread_inf"),
  ),
];

const P: readonly DebugLine[] = [
  ...alone(
    same(
      "p init_task.comm",
      "p init_task.mm",
      "p init_task.cred",
      "p *init_task.cred",
      "p &init_task.cred->uid",
      "p init_task.sched_class",
    ),
    same(
      "p/x init_task.flags",
      "p/u init_task.flags",
      "p/d init_task.flags",
      "p/o init_task.flags",
      "p/t init_task.flags",
      "p/c init_task.flags",
    ),
    same(
      "p/a init_task.sched_class",
      "p/s init_task.comm",
      "p/x init_task.comm",
      "p/d init_task.comm",
      "p/c init_task.comm",
      "p/z init_task.flags",
    ),
    same(
      "p/x init_task.tasks",
      "p/d init_task.tasks",
      "p/f init_task.flags",
      "p/x -1",
      "p/u -1",
      "p/o 8",
      "p/t 10",
      "p/c 65",
      "p/a &init_task",
    ),
    same(
      "p init_task.pid_links",
      "p init_task.pid_links[1]",
      "p &init_task.pid_links[1]",
      "p *&init_task.pid_links[1]",
      "p init_task.comm[0]@4",
    ),
    same("p init_task.sighand->action[0]@2", "p &init_task.comm", "p &init_task.comm[2]", "p *init_task.comm@4", "p *init_task.fs"),
    same(
      "p init_task.nsproxy->uts_ns->name.release",
      "p (char)65",
      "p 'A'",
      'p sizeof("abc")',
      "p sizeof(init_task.comm)",
      "p 5.0/2",
      "p 1.5",
      "p 0.1",
    ),
    same(
      "p 5/2",
      "p 5%3",
      "p ~0",
      "p 1 ? 2 : 3",
      "p (1,2)",
      "p 1 && 0",
      "p 3 & 1",
      "p 3 ^ 1",
      "p 1<<31",
      "p 1UL<<32",
      "p 0xffffffff",
      "p 0xffffffff+1",
    ),
    same(
      "p PIDTYPE_TGID",
      "p (enum pid_type)1",
      "p (enum pid_type)9",
      "p (enum pageflags)3",
      "p system_state",
      "p (int)system_state",
      "p &schedule",
      "p *schedule",
    ),
    same(
      "p (long)&((struct task_struct *)0)->pid",
      "p ((struct list_head *)0x{cat.tasks})->next->next",
      "p (struct list_head *)0x{cat.tasks}+1",
    ),
    same(
      "p (unsigned char)200",
      "p (short)-1",
      "p (bool)5",
      "p (u8)300",
      "p (void *)&init_task",
      "p (long *)0",
      "p (double)1/3",
      "p *(int *)&panic_timeout",
    ),
    same(
      "p $",
      "p $$",
      "p $foo = 5",
      "p $foo",
      "p $foo * 2",
      "p $nosuch",
      "p init_task.thread | head -20",
      "print/x jiffies",
      "print init_task.pid",
    ),
    same("output init_task.pid", "inspect jiffies", "p -x init_task.flags", "p *modules.next"),
    differs(otherName, "p &jiffies"),
    differs(more("a minus begins a number too", /^\$N = -2$/), "p -5/2"),
    differs(more("quotes reach the expression", /^\$N = "abc"$/), 'p "abc"'),
    differs(more("offsetof is understood", /^\$N = \d+$/), "p offsetof(struct task_struct, pid)"),
    differs(
      more("container_of is understood", /^\$N = \(struct module \*\) 0x[0-9a-f]+ <__this_module>$/),
      "p container_of(modules.next, struct module, list)",
    ),
    differs(more("one CPU's copy within an expression", /^\$N = 1$/), "p per_cpu(runqueues, 1).cpu"),
    differs(more("a slice with both its ends", /^\$N = "wap"$/), "p init_task.comm[1..3]"),
    differs(
      errorText("the column, the nearest names, the reason"),
      "p init_task.nosuch",
      "p init_task.",
      "p (",
      "p 1 +",
      "p *(int *)0",
      "p schedule()",
    ),
    differs(errorText("that a dump cannot be changed"), "p init_task.pid = 2"),
  ),
  ...withVmlinux(
    same("p init_mm.mm_count", "p init_mm.pgd", "p slab_caches", "p *slab_caches.next", "p boot_cpu_data", "p boot_cpu_data.x86_model_id"),
    same("p &init_net", "p init_net.loopback_dev->name", "p init_net.loopback_dev", "p mem_section", "p vmemmap_base", "p root_mountflags"),
    same(
      "p rootfs_fs_type",
      "p &rootfs_fs_type",
      "p rootfs_fs_type.name",
      "p chrdevs[1]",
      "p *chrdevs[1]",
      "p printk_delay_msec",
      "p idt_table[0]@2",
    ),
    same("p fair_sched_class", "p fair_sched_class.enqueue_task", "p &fair_sched_class", "p init_sighand.count", "p init_signals.rlim[0]"),
    same("p ioport_resource", "p iomem_resource.child->name", "p *iomem_resource.child", "p acpi_disabled", "p cpu_info"),
    same("p kstat:0 | head", "p cpu_info:0 | head -20", "p irq_stat:a"),
    differs(arrayLength, "p sys_call_table", "p node_data"),
    differs(symbolEnd, "p ext4_fs_type"),
  ),
];

const X: readonly DebugLine[] = alone(
  same("x/8xg &init_task", "x/4xw &init_task", "x/8xb &init_task.comm", "x/s init_task.comm", "x/s saved_command_line", "x/3i schedule"),
  same(
    "x/2xg $rsp",
    "x/dw &panic_timeout",
    "x/uw &init_task.flags",
    "x/tw &init_task.flags",
    "x/ow &init_task.flags",
    "x/16cb &init_task.comm",
  ),
  same(
    "x/a &init_task.sched_class",
    "x/4a init_task.sched_class",
    "x/2xh &init_task.flags",
    "x/xg &modules",
    "x/xg modules.next",
    "x/20xb linux_banner",
  ),
  same(
    "x/3uh linux_banner",
    "x/s &init_task.comm[3]",
    "x/2dw &__per_cpu_offset",
    "gdb x/2xg &modules",
    "gdb p jiffies",
    "gdb whatis modules",
  ),
  differs(symbolEnd, "x/-2xg &modules", "x/2s linux_banner"),
  differs(otherName, "x/zg &jiffies", "x/f &jiffies"),
  differs(
    {
      why: "per-CPU variables have their names",
      sometimes: true,
      holds: after((text) => text.replace(/(# 0x[0-9a-f]+) <\w+(\+\d+)?>$/gm, "$1")),
    },
    "x/i $pc",
  ),
  differs(more("an address may be pasted without 0x", /^0x[0-9a-f]+:\t0x/), "x/2xg {cat}"),
  differs(more("a structure stands for its address", /^0x[0-9a-f]+ <modules>:\t0x/), "x/xg modules"),
  differs(errorText("which formats there are; at which level the page walk ended"), "x/q &modules", "x/xg 0", "x/2xg nosuch"),
);

const TYPES: readonly DebugLine[] = [
  ...alone(
    same(
      "ptype struct list_head",
      "ptype modules",
      "ptype init_task.tasks",
      "ptype struct list_head *",
      "ptype int",
      "ptype schedule",
      "ptype &schedule",
    ),
    same(
      "ptype pid_t",
      "ptype atomic_t",
      "ptype enum pid_type",
      "ptype struct qspinlock",
      "ptype struct page",
      "ptype/o struct list_head",
      "ptype/o struct qspinlock",
    ),
    same(
      "ptype /o struct qspinlock",
      "ptype/o struct vm_area_struct",
      "ptype/o struct iphdr",
      "ptype/o struct sched_avg",
      "ptype/o struct dentry",
    ),
    same(
      "ptype/o struct work_struct",
      "ptype/o struct timer_list",
      "ptype/ox struct list_head",
      "ptype/x struct list_head",
      "ptype struct file_operations",
    ),
    same(
      "ptype work_func_t",
      "ptype init_task.comm",
      "ptype 1+1",
      "ptype 1UL",
      "ptype (char)1",
      "ptype init_task.sched_class->enqueue_task",
      "ptype gfp_t",
    ),
    same(
      "whatis init_task.tasks",
      "whatis &init_task",
      "whatis init_task.comm",
      "whatis 1+1",
      "whatis init_task.mm",
      "whatis *init_task.mm",
      "whatis (char)1",
    ),
    same(
      "whatis union sigval",
      "whatis sigval",
      "whatis -o union sigval",
      "whatis system_state",
      "whatis vm_operations_struct",
      "whatis cpumask_t",
      "whatis size_t",
    ),
    same(
      "whatis spinlock_t",
      "whatis struct work_struct",
      "whatis enum system_states",
      "whatis PIDTYPE_MAX",
      "whatis _printk",
      "whatis __schedule",
      "whatis $rip",
    ),
    differs(more("a base type has its name", /^(unsigned long|int|char)\nSIZE: \d$/), "whatis unsigned long", "whatis int", "whatis char"),
    differs(more("the type is a pointer", /^struct task_struct \*\nSIZE: 8$/), "whatis struct task_struct *"),
    differs(
      more(
        "declared as C writes it",
        /^typedef (long \(\*sys_call_ptr_t\)|struct cpumask \*cpumask_var_t|irqreturn_t \(\*irq_handler_t\))/,
      ),
      "whatis sys_call_ptr_t",
      "whatis cpumask_var_t",
      "whatis irq_handler_t",
    ),
    differs({ why: "modules' types are found too", sometimes: true, holds: linesIn("crash") }, "whatis -m mutex_waiter", "whatis -r 8192"),
    differs(errorText("the nearest names"), "ptype struct nosuch", "ptype nosuch", "whatis printk"),
  ),
  ...withVmlinux(
    same(
      "whatis kmem_cache",
      "whatis slab_caches",
      "whatis fair_sched_class",
      "whatis init_mm",
      "whatis sys_call_table",
      "whatis __per_cpu_offset",
      "ptype init_mm.pgd",
    ),
  ),
];

const gdbRegisters: Difference = {
  why: "the flags and selectors of the dump's notes are there; what is nowhere shares a line",
  holds: (crash, inquest) => crash.split("\n").slice(0, 17).join("\n") === inquest.split("\n").slice(0, 17).join("\n"),
};

const lineRange: Difference = {
  why: "gdb takes rows that begin no statement for the line before, and ends a line at rows without length",
  sometimes: true,
  holds: after((text) => text.replace(/ starts at address .*/g, "")),
};

const INFO: readonly DebugLine[] = [
  ...alone(
    same(
      "info symbol schedule",
      "info symbol schedule+4",
      "info symbol &init_task",
      "info symbol 0x{cat.pc}",
      "info address schedule",
      "info address init_task",
    ),
    same("info registers rip", "info registers rip rsp", "p $rip", "p $rsp", "p $rbx"),
    differs(gdbRegisters, "info registers"),
    differs(more("an address may be pasted without 0x", /^\w+( \+ \d+)? in section \.text$/), "info symbol {cat.pc}"),
    differs(errorText("the nearest names"), "info address nosuch", "info nosuch"),
  ),
  ...withVmlinux(
    differs(
      {
        why: "files have the names that the line table and sym have, here crash leaves the build directory out; of two lines at one address it is addr2line's",
        holds: after((text) => text.replace(/ +\S*\/(?=[\w.-]+: \d+$)/gm, " ").replace(/(sys_ni_syscall +\S+: )\d+$/gm, "$1N")),
      },
      "sys -c",
      "sys -c read",
      "sys -c 0",
    ),
    same("sym schedule", "sym {schedule+4}", "sym vfs_read vfs_write"),
    same("sym -p schedule", "sym -n schedule", "sym -np schedule", "sym {cat.pc}", "sym init_task", "sym modules"),
    differs(lineRange, "info line schedule", "info line *schedule", "info line *0x{cat.pc}", "info line vfs_read"),
    differs(
      more("types and sizes; locations are bt's and p's to evaluate", /^Symbol file is a parameter of type struct file \*, length 8\.$/m),
      "info scope vfs_read",
    ),
    differs(more("how the frame was found, and its registers", /^ found by /m), "info frame"),
  ),
];

const LIST: readonly DebugLine[] = alone(
  same(
    "list modules | head -3",
    "list -h modules | head",
    "list -H modules -o module.list -s module.name",
    "list -H modules -l module.list -s module.name | head -4",
  ),
  same(
    "list -s module.list.next,name -l module.list {modules.next} | head",
    "list -r -H modules",
    "list task_struct.tasks -h init_task -s task_struct.comm | tail -4",
  ),
  same(
    "list task_struct.tasks -h init_task -S task_struct.comm,pid,flags,__state | tail -8",
    "list task_struct.tasks -h init_task -S task_struct.flags -x | tail -4",
  ),
  same(
    "list task_struct.tasks -h init_task -s task_struct.se.vruntime | tail -4",
    "list task_struct.children -O task_struct.children -h init_task",
  ),
  same(
    "list -o task_struct.sibling -O task_struct.children -s task_struct.pid -h init_task",
    "list -B task_struct.tasks -h init_task | wc -l",
    "list -B -H modules",
  ),
  same(
    "list file_system_type.next -s file_system_type.name {ext4_fs_type}",
    "list -o file_system_type.next {ext4_fs_type}",
    "list file_system_type.next {ext4_fs_type}",
  ),
  same(
    "list -H slab_caches -o kmem_cache.list -s kmem_cache.name | tail -4",
    "list -H {slab_caches} -e {slab_caches} | tail -3",
    "list -x modules | tail -2",
    "list -r modules",
  ),
  same(
    "list -s task_struct.pid,comm -s task_struct.flags -h init_task task_struct.tasks | tail -5",
    "list -h task_struct.tasks init_task | tail -2",
    "list -o 0 -H modules",
  ),
  same("list -s task_struct.mm,real_parent -h init_task task_struct.tasks | tail -6"),
  differs(
    { why: "no gap between an address and its text", holds: after((text) => text.replace(/ {2}"/g, ' "')) },
    "list -H slab_caches kmem_cache.list -S kmem_cache.name,size | tail -6",
  ),
  same("list -e {modules.next} -H modules"),
  differs(
    errorText("the nearest names, before anything is walked"),
    "list -H modules -s nosuch.member",
    "list -H modules -s module.nosuch",
    "list -H nosuch",
    "list -h -H modules",
  ),
);

const mapleRadix: Difference = {
  why: "addresses are hexadecimal in maple trees too",
  holds: after((text) => text.replace(/\b\d{19,20}$/gm, (digits) => BigInt(digits).toString(16))),
};

const TREE: readonly DebugLine[] = alone(
  same(
    "tree -t rbtree free_vmap_area_root",
    "tree free_vmap_area_root | head -3",
    "tree -t rbtree -o vmap_area.rb_node free_vmap_area_root | head -5",
    "tree -l free_vmap_area_root | head -3",
  ),
  same(
    "tree -t rbtree -o vmap_area.rb_node -s vmap_area.va_start,va_end free_vmap_area_root | head -9",
    "tree -t rbtree -o 16 free_vmap_area_root | head -4",
  ),
  same(
    "tree -t rbtree -o vmap_area.rb_node -S vmap_area.va_start,va_end free_vmap_area_root | head -9",
    "tree -t rbtree -o vmap_area.rb_node -s vmap_area.va_start -x free_vmap_area_root | head -9",
  ),
  same(
    "tree -t rbtree -p -o vmap_area.rb_node free_vmap_area_root | head -12",
    "tree -t rbtree -p -o vmap_area.rb_node -s vmap_area.va_start free_vmap_area_root | head -12",
  ),
  same(
    "tree -t rbtree -l -p -o vmap_area.rb_node free_vmap_area_root | head -6",
    "tree -t rbtree -s vmap_area -o vmap_area.rb_node free_vmap_area_root | head -20",
  ),
  same(
    "tree -t rbtree {free_vmap_area_root} | head -2",
    "tree -t rb free_vmap_area_root | wc -l",
    "tree -t rbtree -d free_vmap_area_root | head -2",
  ),
  same(
    "tree -t xarray -r pid_namespace.idr init_pid_ns | head",
    "tree -t xarray -p -r pid_namespace.idr init_pid_ns | tail -6",
    "tree -t xarray -p -S pid.level -r pid_namespace.idr init_pid_ns | tail -6",
  ),
  same(
    "tree -t xarray -x -s pid.count -r pid_namespace.idr init_pid_ns | tail -6",
    "tree -t maple -x -r mm_struct.mm_mt {cat.mm} | head -4",
  ),
  same("tree -t maple -x -s vm_area_struct.vm_mm -r mm_struct.mm_mt {cat.mm} | head -4"),
  differs(
    mapleRadix,
    "tree -t maple -r mm_struct.mm_mt {cat.mm}",
    "tree -t maple -r mm_struct.mm_mt {cat.mm} -p",
    "tree -t maple -r mm_struct.mm_mt {cat.mm} -s vm_area_struct.vm_mm",
  ),
  differs(
    {
      why: "addresses are hexadecimal in maple trees too",
      holds: after((text) => text.replace(/: (\d{19,20})$/gm, (_whole, digits: string) => `: ${BigInt(digits).toString(16)}`)),
    },
    "tree -t maple -v -r mm_struct.mm_mt {cat.mm}",
    "tree -t maple -v -p -s vm_area_struct.vm_mm -r mm_struct.mm_mt {cat.mm} | head -40",
  ),
  differs(more("what a radix tree became", /^[0-9a-f]{16}$/m), "tree -t radix -r pid_namespace.idr init_pid_ns | head"),
  differs(more("& may stand before a symbol", /^[0-9a-f]{16}$/m), "tree -t rbtree &free_vmap_area_root | head -2"),
  differs(
    errorText("the nearest names, which option is meant"),
    "tree",
    "tree -t nosuch modules",
    "tree -t rbtree nosuch",
    "tree -t rbtree -o nosuch.member free_vmap_area_root",
    "tree -t xarray -l modules",
  ),
);

/** Instructions without what only one side marks or names, and without padding. */
const instructionsOf = (text: string) =>
  text
    .replace(/(# 0x[0-9a-f]{1,8}) <\w+(\+\w+)?>$/gm, "$1")
    .replace(/ \[FTRACE NOP\]$/gm, "")
    .replace(/<[\w.]+(\+\w+)?>$/gm, "")
    .replace(/(\n(0x\w+ <\S+>:\t(data16 |cs )*nop[wl]? .*|\S+\.[chS]: \d+))+$/, "")
    .replace(/ +$/gm, "");
const sourcePlace = /^\S+\.[chS]: \d+$/;
const codeNames: Difference = {
  why: "per-CPU variables have names; of two symbols at one address another is named; gdb joins rows that differ in discriminators only",
  sometimes: true,
  holds(crash, inquest) {
    const [theirs, own] = [crash, inquest].map((text) => instructionsOf(text).split("\n")) as [string[], string[]];
    const code = (lines: readonly string[]) => lines.filter((line) => !sourcePlace.test(line)).join("\n");
    const places = theirs.filter((line) => sourcePlace.test(line));
    const missing = places.filter((place) => !own.includes(place));
    return code(theirs) === code(own) && missing.length <= places.length / 20;
  },
};
const noSource: Difference = {
  why: "the error tells what is missing",
  holds: after((text) => text.replace(/\n+dis: [^\n]*source[^\n]*$/, "")),
};

const DIS: readonly DebugLine[] = withVmlinux(
  differs(
    codeNames,
    "dis -l kthreadd",
    "dis -l vfs_read",
    "dis -l schedule 40",
    "dis -l __schedule",
    "dis -l tcp_v4_rcv",
    "dis -l do_exit",
    "dis -lx do_exit",
    "dis -l ksys_write",
    "dis -l sysrq_handle_crash",
    "dis -l wake_up_process",
    "dis -l do_nanosleep",
    "dis -fl kthreadd+40 4",
    "dis -lx kthreadd+0x28 7",
    "dis -r -l {cat.pc}",
    "dis -l {cat.pc} 5",
  ),
  differs(codeNames, "dis -lr kthreadd+40 2", "dis -rx kthreadd+0x28 3"),
  same("dis -l kthreadd 1", "dis -l (kthreadd+40) 3", "dis -f -x kthreadd+0x28 3"),
  differs(noSource, "dis -s kthreadd", "dis -s vfs_read+33", "dis -s kthreadd 3", "dis -s {cat.pc}"),
  differs(errorText("what -s goes with"), "dis -r -s kthreadd+16", "dis -rf kthreadd"),
);

/** One session each: crash 9 has been seen to hang in `list` behind 350 lines of gdb's commands. */
export const DEBUG_SECTIONS: readonly (readonly [name: string, lines: readonly DebugLine[]])[] = [
  ["struct", STRUCT],
  ["p", P],
  ["x", X],
  ["types", TYPES],
  ["info", INFO],
  ["list", LIST],
  ["tree", TREE],
  ["dis", DIS],
];
