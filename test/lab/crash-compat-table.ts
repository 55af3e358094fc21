/**
 * The command lines people type into crash, and where Inquest's answer differs from crash's on purpose. They run in this order in one
 * session, so settings carry on. `{name}` is replaced by a value of the dump at hand (crash-compat-run.ts).
 *
 * Lines that are not listed as different must be answered letter for letter as crash 9 answers them, spaces at the ends of lines aside.
 */
import {
  after,
  type CompatLine,
  crashIn,
  type Difference,
  differs,
  framesIn,
  linesIn,
  oneLine,
  ours,
  same,
  without,
} from "./crash-compat-difference.ts";

const percentMem: Difference = {
  why: "%MEM is of the memory the kernel manages (MemTotal, as ps(1) has it); crash takes the whole range of page frames",
  holds: after((text) => text.replace(/( [A-Z]{2}) +\d+\.\d /g, "$1 ")),
};
const sourceLine: Difference = {
  why: "files and lines come from DWARF, which is not read yet",
  holds: after((text) => text.replace(/ +\S+\.[chS]: \d+$/gm, "").replace(/ +FILE AND LINE NUMBER$/m, "")),
};
const truerStack: Difference = {
  why: "a running task starts at its CPU's registers, and every frame the unwind tables lead to is there; crash skips some",
  holds: framesIn,
};
const errorText = (why: string): Difference => ({ why: `the error says more: ${why}`, holds: oneLine });
const more = (why: string, pattern: RegExp): Difference => ({ why, holds: ours(pattern) });

const wrongHz: Omit<Difference, "holds"> = {
  why: "crash takes HZ for 1000 on a 6.12 kernel built with 250, and its times since boot with it",
  sometimes: true,
};

const SYS: readonly CompatLine[] = [
  ...differs(
    {
      why: "no vmlinux is given; PANIC is what the kernel died of first, not that it panicked then",
      holds: without(/^ +(KERNEL|PANIC|UPTIME): /),
    },
    "sys",
  ),
  ...differs({ ...wrongHz, holds: ours(/^ +UPTIME: (\d+ days, )?\d\d:\d\d:\d\d$/) }, "sys | grep UPTIME"),
  ...differs({ why: "the letters of the taints are explained", holds: crashIn }, "sys -t"),
  ...same("sys -i"),
  ...differs(errorText("where the configuration may be found"), "sys config"),
  ...differs(sourceLine, "sys -c | head -3", "sys -c read", "sys -c 0"),
  ...differs(errorText("crash says nothing"), "sys -c 9999"),
];

const BT: readonly CompatLine[] = [
  ...differs(truerStack, "bt", "bt -p"),
  ...same("bt {cat.pid}", "bt {cat}", "bt {cat.pid} {kthreadd}"),
  ...differs(
    {
      why: "the running task of the other CPU starts at its registers too; slots below an interrupt are the true ones",
      holds: ours(/ #0 /),
    },
    "bt -a",
    "bt -c 0,1",
    "bt -n idle -a",
  ),
  ...same("bt -s {cat.pid}", "bt -sx {cat.pid}", "bt -s -d {cat.pid}", "bt -f {cat.pid}", "bt -F {cat.pid}", "bt -FF {cat.pid}"),
  ...same("bt -r {cat.pid}", "bt -t {cat.pid}", "bt -T {cat.pid}", "bt -t {kthreadd}", "bt -e", "bt -e {cat.pid}"),
  ...differs(
    {
      why: "the machine-check, VC and entry stacks are searched too",
      holds: after((text) => text.replace(/CPU \d+ (MCE|VC2?|ENTRY) [\s\S]*?(?=\n\nCPU|$)/g, "").replace(/\n\n+/g, "\n\n")),
    },
    "bt -E",
    "bt -E -c 0",
  ),
  ...same("bt -g {cat.pid}", "bt -v", "bt -O", "bt -O", "bt -R {cat.fn} {cat.pid}"),
  ...differs(errorText("which CPUs there are"), "bt -c 7"),
  ...differs(
    more("-o lists the words behind a call; crash's old method numbers all words in code as frames", /START: /),
    "bt -o {cat.pid}",
  ),
  ...differs(errorText("crash says nothing of an unknown symbol"), "bt -R nowhere_at_all {cat.pid}"),
  ...differs(truerStack, "bt -S {cat.sp} {cat.pid}", "bt -I {schedule} -S {cat.sp} {cat.pid}"),
  ...same("bt 99999", "bt nosuch"),
  ...differs(errorText("the usage is in the same line"), "bt -z"),
];

const PS: readonly CompatLine[] = [
  ...differs(percentMem, "ps", "ps -u", "ps -G", "ps -A", "ps -H 1", "ps -HA", "ps -s", "ps -s -u", "ps -y 0 -u"),
  ...differs(percentMem, "ps cat", "ps 'w-.*'", "ps {cat}", "ps 1 2"),
  ...same("ps -k", "ps -S", "ps -p {cat.pid}", "ps -c {cat.pid}", "ps -l", "ps -m", "ps -l -C 0", "ps -m -C all", "ps -m {cat.pid}"),
  ...same("ps -a {cat.pid}", "ps -a 2", "ps -g {cat.pid}", "ps -r {cat.pid}", "ps -y RR"),
  ...differs({ why: "threads are no children of their process's parent", holds: linesIn("ours") }, "ps -c 1"),
  ...differs(
    {
      why: "START TIME counts from boot as /proc/PID/stat does and has its date; RUN TIME is cut to seconds once, not twice",
      holds: without(/^ +(RUN|START) TIME: /),
    },
    "ps -t {cat.pid}",
    "ps -t 1",
  ),
  ...differs(more("an option of a newer crash than the one at hand", /COMM$/m), "ps -I", "ps -Y -u"),
  ...differs(errorText("no table with nothing in it"), "ps 99999"),
  ...differs(errorText("the usage is in the same line"), "ps -z"),
];

const LOG: readonly CompatLine[] = [
  ...same("log | head -40", "log | tail -60", "log -t | tail -20", "log -m | tail -20", "log -c | tail -20"),
  ...same("log -m -t | tail -3", "log -d | tail -20", "log -a", "dmesg | tail -3"),
  ...differs({ ...wrongHz, holds: after((text) => text.replace(/^\[[^\]]*\] /gm, "")) }, "log -T | tail -20", "log -T -c | tail -3"),
  ...differs({ ...errorText("crash says nothing of buffers that are not there"), sometimes: true }, "log -s"),
];

const MOD: readonly CompatLine[] = [
  ...same("mod", "mod -t", "lsmod"),
  ...differs(more("-g needs no debug file: the sections the kernel recorded", /^ {2}[0-9a-f]{16} {2}\.text$/m), "mod -g"),
  ...differs(errorText("how to give the module's file"), "mod -s lab_fault"),
  ...differs(more("the table tells which modules have none", /\(not loaded\)/), "mod -S"),
  ...differs(errorText("that no such module is loaded"), "mod -s nosuchmodule"),
];

const SYM: readonly CompatLine[] = [
  ...differs(sourceLine, "sym schedule", "sym {schedule}", "sym {schedule+4}", "sym -p schedule", "sym -n schedule"),
  ...same("sym -M | grep MODULE", "sym -q lab_fault_sub", "sym jiffies init_task", "sym {lab_fault_submit}", "sym lab_fault_submit"),
  ...differs(more("an expression of a symbol and an offset is understood", /^[0-9a-f]+ \(T\) schedule\+4$/m), "sym schedule+4"),
  ...differs(
    { ...more("the neighbours are those of kallsyms, not of the vmlinux", /linux_banner/), sometimes: true },
    "sym -p -n linux_banner",
  ),
  ...differs(
    { why: "the letters are those of /proc/kallsyms", holds: after((text) => text.replace(/\(.\)/g, "()")) },
    "sym -m lab_fault",
    "sym -m virtio_blk",
  ),
  ...differs(more("the order and letters are those of /proc/kallsyms, not of the vmlinux", /^0 \(A\) /m), "sym -l | head -20"),
  ...differs(errorText("the nearest names"), "sym nosuchsymbol", "sym 1234"),
];

const RD: readonly CompatLine[] = [
  ...same("rd linux_banner", "rd linux_banner 8", "rd -64 linux_banner 3", "rd -32 linux_banner 8", "rd -16 linux_banner 8"),
  ...same("rd -8 linux_banner 20", "rd -d jiffies", "rd -D jiffies", "rd -32 -d linux_banner 6", "rd -8 -d linux_banner 10"),
  ...same("rd -16 -D linux_banner 10", "rd -x linux_banner 4", "rd -a linux_banner", "rd -a linux_banner 20"),
  ...same("rd -s {cat.sp} 10", "rd -S {cat.sp} 10", "rd -SS {cat.sp} 10", "rd -p {phys} 4", "rd -u {user} 2"),
  ...same("rd -e {linux_banner+32} linux_banner", "rd -o 8 linux_banner 2", "rd -R linux_banner 4", "rd -R {linux_banner} 4"),
  ...same("rd {linux_banner} 0x10", "rd {linux_banner+3} 2"),
  ...differs(
    { why: "the characters of swapped words stand in memory's order", holds: after((text) => text.replace(/ {3}.*$/gm, "")) },
    "rd -N -32 linux_banner 4",
  ),
  ...differs(
    more("-N means 32-bit words, as crash's help says; crash shows 64-bit words unswapped", /4c696e75 78207665/),
    "rd -N linux_banner 4",
  ),
  ...differs(errorText("at which level the page walk ended"), "rd 0", "rd 1000 2"),
  ...differs(errorText("the nearest names"), "rd nosuchsymbol"),
  ...differs(more("an expression is evaluated", /^[0-9a-f]{16}: /m), "rd (linux_banner+8) 2"),
];

const STRUCT: readonly CompatLine[] = [
  ...same("struct list_head", "struct task_struct | head -60", "struct -o task_struct | head -60", "struct page", "struct -o page"),
  ...same(
    "struct task_struct.pid",
    "struct task_struct.pid,comm {cat}",
    "struct task_struct.se {cat}",
    "struct task_struct.se.run_node {cat}",
  ),
  ...same("struct task_struct.comm,pid,tasks {cat}", "struct task_struct.pid,comm -x {cat}", "struct task_struct.flags -x {cat}"),
  ...same("struct task_struct.flags -d {cat}", "struct -o list_head {cat}", "struct list_head modules", "struct list_head modules 2"),
  ...same("struct list_head -c 2 modules", "struct -r list_head modules", "struct -l task_struct.tasks task_struct.pid,comm {cat.tasks}"),
  ...same("struct -l 8 list_head {modules+8}", "struct task_struct.mm -p {cat}", "struct -p task_struct.real_parent {cat} | head -30"),
  ...same("struct mm_struct {cat.mm} | head -60", "struct vm_area_struct {cat.vma}", "struct module.name,state {module}"),
  ...same("struct page {page}", "struct -x page {page}", "struct rq.nr_running,cpu runqueues:a", "struct rq.nr_running,cpu runqueues:0"),
  ...same("struct hlist_head {modules}", "struct spinlock", "struct -o spinlock"),
  ...same("struct sockaddr", "* list_head", "* list_head modules", "* task_struct.pid {cat}", "list_head modules"),
  ...same("task_struct.pid,comm {cat}", "task_struct.thread_info {cat}", "pid_t", "u64", "atomic_t"),
  ...differs(
    { why: "crash makes up a symbol where a module starts", sometimes: true, holds: after((text) => text.replace(/ <_MODULE_\w+>/g, "")) },
    "struct module {module} | head -100",
  ),
  ...differs(
    {
      why: "a member of an anonymous union stands as the others do",
      sometimes: true,
      holds: after((text) => text.replace(/^ +|,$/gm, "")),
    },
    "struct rq.nr_running,curr runqueues:1 -x",
  ),
  ...differs(more("several members may be asked for without an address", /^\S.*\n.* pid/m), "struct task_struct.pid,comm"),
  ...differs(
    more("-o takes several members", /\] pid_t pid;/),
    "struct -o task_struct.pid,comm,se",
    "struct -o task_struct.pid,comm {cat}",
  ),
  ...differs(more("a negative count needs no -c", /^ {2}next = /m), "struct list_head modules -2"),
  ...differs(more("a star needs no space behind it", /^SIZE: 16$/m), "*list_head"),
  ...differs(
    errorText("the nearest names, and which part is wrong"),
    "struct nosuchstruct",
    "struct task_struct.nosuchmember",
    "union nosuch",
  ),
  ...differs(
    errorText("the nearest names, and which part is wrong"),
    "struct task_struct.nosuchmember {cat}",
    "struct list_head init_task.tasks",
  ),
  ...differs(errorText("at which level the page walk ended"), "struct task_struct 1000"),
];

const WHATIS: readonly CompatLine[] = [
  ...same("whatis schedule", "whatis list_head", "whatis struct list_head", "whatis atomic_t", "whatis jiffies", "whatis init_task"),
  ...same("whatis pid_t", "whatis u64", "whatis -o list_head", "whatis pageflags | head -5", "whatis PG_locked", "whatis modules"),
  ...same("whatis runqueues", "whatis panic", "whatis enum pid_type", "whatis pid_type", "whatis gfp_t"),
  ...differs(
    { why: "an array's length is known from the next symbol", holds: after((text) => text.replace(/\[\d+\]/g, "[]")) },
    "whatis linux_banner",
    "whatis sys_call_table",
  ),
  ...differs(more("a typedef of a function pointer is shown as C writes it", /^typedef void \(\*work_func_t\)\(/), "whatis work_func_t"),
  ...differs({ why: "modules' types and those named in nested members are found too", holds: linesIn("crash") }, "whatis -m mm_struct"),
  ...differs(errorText("the nearest names"), "whatis nosuchthing"),
];

/** The lines of an instruction that only one side marks or names. */
const instruction = (text: string) =>
  text
    .replace(/(# 0x[0-9a-f]{1,8}) <\w+(\+\w+)?>$/gm, "$1")
    .replace(/ \[FTRACE NOP\]$/gm, "")
    .replace(/(\n0x\w+ <\S+>:\t(data16 |cs )*nop[wl]? .*)+$/, "");
const patchable: Difference = {
  why: "the place ftrace patches is marked behind an endbr64 too",
  sometimes: true,
  holds: after(instruction),
};

const DIS: readonly CompatLine[] = [
  ...differs({ why: "per-CPU variables have their names", holds: after(instruction) }, "dis schedule", "dis {schedule}"),
  ...differs(patchable, "dis schedule 4", "dis {schedule} 4", "dis -x schedule 4", "dis -d schedule 4", "dis -r {cat.pc}"),
  ...differs(patchable, "dis (schedule+4) 2", "dis schedule+4 2"),
  ...differs(
    { why: "no padding behind a module's function", sometimes: true, holds: after(instruction) },
    "dis lab_fault_submit",
    "dis {lab_fault_submit}",
  ),
  ...same("dis {schedule+8} 3", "dis {schedule+8}", "dis -f {cat.pc} | tail -20", "dis -r {cat.pc} 3", "dis -u {user} 2"),
  ...differs(
    {
      why: "files and lines come from a vmlinux, which is not given here (crash-debug-table.ts has them)",
      holds: after((text) => instruction(text.replace(/^(\(.*\)|\S+: \d+)\n/gm, ""))),
    },
    "dis -l schedule 3",
  ),
  ...differs(errorText("that source text needs a vmlinux"), "dis -s schedule 3"),
  ...differs(errorText("the nearest names"), "dis nosuchsymbol"),
  ...differs(errorText("crash warns and shows an instruction without text"), "dis 1000"),
];

const SET: readonly CompatLine[] = [
  ...same("set {cat.pid}", "set", "bt", "set -p", "set {kthreadd}", "set -c 1", "set -c 7", "set 99999", "set radix 16", "set radix"),
  ...same("p jiffies", "set radix 10", "set print_max", "set print_max 256", "set hash", "set console", "set debug", "set zero_excluded"),
  ...same("set null-stop", "set redzone", "set error", "set scope", "set unwind", "set -p"),
  ...differs(
    {
      why: "no vmlinux is given; editing is emacs's; no pager to name; a core is never dropped; src is our own",
      holds: without(/^ +(namelist|edit|scroll|core|console|src): /),
    },
    "set -v",
  ),
  ...differs(errorText("that it is no variable either"), "set nosuch"),
  ...differs(more("no pager to name", /^scroll: o/), "set scroll"),
  ...differs(more("editing is emacs's", /^edit: emacs$/m), "set edit"),
  ...differs({ why: "crash indents this one by mistake", holds: after((text) => text.trim()) }, "set offline"),
];

const TASK: readonly CompatLine[] = [
  ...same(
    "task -R pid {cat.pid}",
    "task -R pid,comm,flags {cat}",
    "task -R pid,comm",
    "task -x -R flags {cat}",
    "task -R se.vruntime {cat}",
  ),
  ...same("task {cat} | head -80", "task {cat} | grep -A8 'struct thread_info'", "task 99999"),
  ...differs({ why: "no header without a member", holds: without(/^PID: /) }, "task -R nosuch {cat}"),
];

const P: readonly CompatLine[] = [
  ...same("p jiffies", "p -x jiffies", "p -d jiffies", "px jiffies", "pd jiffies", "jiffies", "p modules", "p &modules", "p modules.next"),
  ...same(
    "p *modules.next",
    "p init_task.pid",
    "p init_task.comm",
    "p &init_task",
    "p init_task.tasks",
    "p 1+2",
    "p 0x10*3",
    "p -x init_task.tasks",
  ),
  ...same(
    "p sizeof(struct task_struct)",
    "p (long)jiffies",
    "p ((struct task_struct *)0x{cat})->pid",
    "p ((struct task_struct *)0x{cat})->comm",
  ),
  ...same(
    "p ((struct task_struct *)0x{cat})->mm",
    "p *((struct list_head *)0x{modules})",
    "p saved_command_line",
    "p schedule",
    "p do_exit",
  ),
  ...differs(
    { why: "5.10's BTF does not tell its type: words without a vmlinux", sometimes: true, holds: ours(/^per_cpu\(irq_stat, 0\) = /) },
    "p irq_stat:0",
  ),
  ...same("p runqueues:0 | head -12", "p this_cpu_off:a", "p this_cpu_off:0-1", "p runqueues", "p __per_cpu_offset"),
  ...same(
    "p -x __per_cpu_offset[0]@2",
    "p __cpu_online_mask",
    "p system_state",
    "p init_uts_ns.name",
    "p panic_timeout",
    "p oops_in_progress",
  ),
  ...same("p $", "p init_task.tasks.next->next", "panic_timeout", "p/x jiffies", "p/d jiffies"),
  ...differs(
    {
      why: "an array of characters is a string whether or not DWARF gives its length",
      holds: after((text) => text.replace(/0x[0-9a-f]+ <linux_banner> "/, '"')),
    },
    "p linux_banner",
    "p *&linux_banner",
  ),
  ...differs(
    { why: "an array's length is known from the next symbol", holds: after((text) => text.replace(/\[\d+\]/g, "[]")) },
    "p &linux_banner",
  ),
  ...differs(
    more("the type of a variable that is not declared is not known without a vmlinux", /not known without a vmlinux/),
    "p cpu_all_bits",
  ),
  ...differs(errorText("the nearest names"), "p nosuch", "p cpu_present_mask"),
];

const FOREACH: readonly CompatLine[] = [
  ...same("foreach {cat.pid} bt", "foreach kernel ps", "foreach {cat.pid} {kthreadd.pid} set", "foreach cat task -R pid,comm"),
  ...same("foreach user bt -R {cat.fn}", "foreach UN bt"),
  ...differs(percentMem, "foreach IN ps", "foreach active ps", "foreach cat ps", "foreach 'w-.*' ps"),
  ...differs(truerStack, "foreach user bt -s"),
  ...differs(
    {
      why: "START TIME counts from boot as /proc/PID/stat does and has its date; RUN TIME is cut to seconds once, not twice",
      holds: without(/^ +(RUN|START) TIME: /),
    },
    "foreach cat ps -t",
  ),
  ...differs(
    { why: "all bits of the state are named", sometimes: true, holds: after((text) => text.replace(/\|TASK_FREEZABLE/g, "")) },
    "foreach user set",
    "foreach gleader set | head -30",
  ),
  ...differs({ why: "every page has the header of its row", holds: linesIn("crash") }, "foreach user vtop -u {user}"),
  ...differs(errorText("which commands foreach runs"), "foreach nosuch bt", "foreach nosuchcommand"),
];

const NUMBERS: readonly CompatLine[] = [
  ...same("eval 128m", "eval 0x1000 + 23", "eval (1 << 32)", "eval -b 0x30a", "eval -l 0xffffffff", "eval -1", "eval ~0"),
  ...same("eval 0xffffffff80000000", "eval 1g", "eval 4k", "eval 10 / 3", "eval 10 % 3", "eval ffff880000000000", "eval 777"),
  ...differs(errorText("what it is not"), "eval 1.5", "eval nosuch"),
  ...same("btop 512a000", "btop 4096", "btop 0x1000 2000", "ptob 512a", "ptob 4096", "ptob 0x10 20", "ptov 56e000"),
  ...same("ptov 0x1000 2000", "ptov 1000 {this_cpu_off}:1", "ptov {this_cpu_off}:0", "ptov {this_cpu_off}:a"),
  ...differs(errorText("that it is no hexadecimal number"), "ptov zzz", "ascii zz"),
  ...same("ascii 6c6f6c", "ascii 0x62696c2f7273752f", "ascii 62696c2f7273752f 7", "ascii 41424344454647ff e9"),
  ...differs(
    { why: "crash's chart has quotes and dashes in each other's places", holds: after((text) => text.replace(/['`_-]/g, "")) },
    "ascii",
  ),
];

const VTOP: readonly CompatLine[] = [
  ...same("vtop {cat}", "vtop {schedule}", "vtop {page}", "vtop {lab_fault_submit}", "vtop {cat.sp}", "vtop -c {cat.pid} {user}"),
  ...same("vtop -u -c {cat.pid} {user}", "vtop -k {schedule}"),
  ...differs({ why: "every page has the header of its row", holds: linesIn("crash") }, "vtop {linux_banner} {modules}"),
  ...differs(more("a symbol may stand for its address", /^PAGE DIRECTORY: /m), "vtop schedule"),
  ...differs(more("the walk is shown as far as it goes", /\(not mapped\)/), "vtop 0", "vtop -c {cat.pid} 10000"),
  ...differs(more("crash makes up a physical address", /\(not mapped\)/), "vtop ffff000000000000"),
];

const LIST: readonly CompatLine[] = [
  ...same("list modules | head -20", "list -h {modules.next}", "list -H modules", "list -H modules module.list -s module.name"),
  ...same("list -H modules -o module.list -s module.name,state", "list -H {modules} module.list -S module.name"),
  ...same("list module.list -s module.name -H modules -r", "list task_struct.tasks -S task_struct.pid,comm -h {init_task} | head -20"),
  ...same("list task_struct.tasks -h init_task | head -5", "list -o task_struct.tasks -h {init_task} | head -5", "list 0 {modules}"),
  ...same("list -s list_head modules | head -12", "list -x -s list_head.next modules | head", "list -B -H modules | tail -3"),
  ...differs(errorText("the nearest names"), "list nosuch"),
  ...differs(errorText("at which level the page walk ended"), "list 1000"),
  ...differs(errorText("the usage is in the same line"), "list"),
];

const SHELL: readonly CompatLine[] = [
  ...differs(
    {
      why: "q is an alias",
      holds: without(/^builtin +(q|quit) /),
    },
    "alias",
  ),
  ...same("alias kp rd -p", 'alias kp ""'),
  ...differs({ why: "no header above an error", holds: ours(/alias does not exist: kp$/m) }, "alias kp"),
  ...differs(
    {
      why: "crash takes the machine-check stack for an unknown one, and stops at VC",
      holds: after((text) =>
        text
          .replace(/^ +HZ: \d+\n/m, "")
          .replace(/^ +(MCE|\(unknown\)) STACK SIZE: [\s\S]*?(?=^ +VC STACK SIZE)/m, "")
          .replace(/^ +VC2 STACK SIZE: [\s\S]*/m, ""),
      ),
    },
    "mach",
  ),
  ...same("mach -m", "mach -c | head -30", "hex", "p jiffies", "struct task_struct.pid,flags {cat}", "bt -s {cat.pid}", "eval 16"),
  ...same("list task_struct.tasks -S task_struct.pid -h {init_task} | head -4", "rd -d jiffies"),
  ...differs(patchable, "dis schedule 2"),
  ...same("dec"),
  ...differs(errorText("that -o is of ppc64"), "mach -o"),
  ...differs(more("each command has a line that says what it does", /^bt +kernel stack of a task$/m), "help"),
  ...differs(more("the pages are our own", /^NAME\n {2}btop - /m), "help btop"),
  ...differs(errorText("in the words of other unknown names"), "help nosuch"),
  ...differs(
    { why: "the program's own name", holds: after((text) => text.replace(/^(crash|inquest): /, "")) },
    "nosuchcommand",
    "nosuchcommand foo bar",
  ),
  ...same("sys | grep RELEASE", "ps | grep cat | wc -l", "# a comment", "!echo from the shell", "echo from echo"),
];

export const COMPAT_LINES: readonly CompatLine[] = [
  ...SYS,
  ...BT,
  ...PS,
  ...LOG,
  ...MOD,
  ...SYM,
  ...RD,
  ...STRUCT,
  ...WHATIS,
  ...DIS,
  ...SET,
  ...TASK,
  ...P,
  ...FOREACH,
  ...NUMBERS,
  ...VTOP,
  ...LIST,
  ...SHELL,
];
