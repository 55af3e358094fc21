/** What the golden transcripts ask: lines for every sample, and lines for the machine or the death that only some have. */
import type { Sample } from "./samples.ts";

/** Each command's lines. `$FAULT` is the instruction that died, `$USER` an address of pid 1's own memory, `$TEXT` a string. */
const LINES: Readonly<Record<string, string>> = {
  "*": `
* list_head modules
* task_struct.pid,comm init_task
* atomic_t`,
  alias: `
alias
alias gold "ps -A"
alias gold
gold
alias gold ""
alias nosuch`,
  analyze: `
analyze
analyze -v
analyze -x
analyze 1`,
  ascii: `
ascii 62696c2f7273752f
ascii | head 8
ascii zz`,
  bpf: `
bpf
bpf -P
bpf -M
bpf -p 99
bpf -m 99
bpf -p zz
bpf -t
bpf -x
bpf 1`,
  blk: `
blk
blk -q
blk -v vda
blk nosuch`,
  bt: `
bt
bt -s
bt -sx
bt -f 1 | head 30
bt -F 2 | head 16
bt -FF 2 | head 16
bt --annotate 2 | head 30
bt -t 2
bt -T 2 | tail 6
bt -r 2 | tail 4
bt -e 1
bt -E | grep STACK
bt -a | grep PID:
bt -c 0 -n idle | grep PID:
bt -g 1 | grep PID:
bt -p | head 1
bt -v
bt -o 2
bt -R kthreadd 2
bt -R nosuch 2
bt -I kthread 2
bt 99999
bt -l 2
bt --group 1 2 3
bt --group | tail 20
bt --group -s 2
bt --group -f 2`,
  btop: `
btop 512a000 1fff
btop`,
  cgroup: `
cgroup
cgroup -a | head 12
cgroup -t | head 12
cgroup / | head 12
cgroup 1 | head 4
cgroup /nosuch`,
  cpu: `
cpu
cpu -c 0
cpu -c 9`,
  dev: `
dev
dev -i
dev -p
dev -d
dev -D
dev -V
dev -i -p`,
  dis: `
dis schedule | head 5
dis schedule+4
dis -r $FAULT | tail 4
dis -f $FAULT | head 3
dis -x kthreadd 4
dis -r $FAULT 2
dis nosuch
dis -l schedule 1
dis -s schedule
dis -a -r $FAULT | tail 6
dis -a vfs_read 24
dis -a -x __fput | head 20
dis -s -a schedule
dis 10`,
  down: `
up
down
down`,
  eval: `
eval 128m
eval 0xffffffff80000000
eval -b 1409
eval (1 << 32) - 1
eval 7 / 2 + 10 % 4
eval 1/0
eval nosuch`,
  exit: `
exit`,
  files: `
files 1
files -c 1
files -R 1 1
files 2
foreach files -R console | head 10
foreach user files -R nosuch
files -p 0
files 99999
files -p 1 -d 2`,
  foreach: `
foreach active ps
foreach active bt -s | head 12
foreach IN bt --group | head 16
foreach gleader user ps -G | head 4
foreach 'cpuhp.*' task -R pid,on_cpu
foreach kthreadd bt
foreach bt -R do_wait | grep PID:
foreach 1 2 set
foreach 1 vtop -c 1 $USER
foreach nosuch ps
foreach ps -nosuch
foreach log`,
  frame: `
frame
frame 1
frame
frame 999
frame nosuch`,
  ftrace: `
ftrace -l
ftrace
ftrace -i nosuch`,
  fuser: `
fuser /dev/console
fuser /dev/null /nowhere
fuser nosuch
fuser`,
  gcore: `
gcore 1 /dev/null
gcore 2
gcore 1 a b`,
  gdb: `
gdb p init_task.pid
gdb x/2xg &modules
gdb ptype modules
gdb whatis modules
gdb nosuch`,
  help: `
help | head 12
help btop
help nosuch
help input | head 5
help output | head 5
help -D
help -m`,
  info: `
info symbol schedule+4
info symbol &init_task
info address init_task
info line schedule
info frame
info registers
info args
info
info nosuch`,
  ipcs: `
ipcs
ipcs -M
ipcs -s 5
ipcs nosuch`,
  irq: `
irq | head 8
irq -u
irq 1 4
irq -d | head 3
irq -b
irq -a
irq -s
irq -s -c 0 | head 3
irq 99999`,
  kmem: `
kmem init_task
kmem schedule+4
kmem 1000
kmem dead000000000100
kmem nosuch
kmem -i
kmem -i=shared
kmem -f | tail 60
kmem -F | tail 12
kmem -f &init_task
kmem -z
kmem -n
kmem -h
kmem -V
kmem -v | head 12
kmem -v 0
kmem -g | head 6
kmem -g 800 17ffffc0010200
kmem -p | head 5
kmem -p &init_task
kmem -m flags,_refcount,_mapcount,lru &init_task
kmem -m nosuch
kmem -c
kmem -i -f
kmem -z 0
kmem -o
kmem -s
kmem -s kmalloc-256
kmem -s list | head 4
kmem -s -I kmalloc-256,dentry | grep IGNORED
kmem -s &init_task
kmem -s nosuch
kmem -S kmalloc-8k
kmem -S=0 task_struct | head 24
kmem -r
kmem`,
  list: `
list -H modules | head 3
list -H modules module.list -s module.name,state | head 6
list -r -H modules module.list | head 2
list -H modules -l module.list -s module.name | head 4
list task_struct.tasks -s task_struct.pid,comm -h init_task | head 6
list task_struct.tasks -S task_struct.comm -h init_task | tail 2
list -e 0 modules
list nosuch`,
  lock: `
lock
lock -v
lock -t 1
lock cgroup_mutex
lock --type rwsem namespace_sem
lock --type nosuch init_task
lock -t 99999`,
  log: `
log --objects | tail 40
log | head 3
log | tail 12
log -t | head 2
log -T | head 2
log -m | tail 3
log -c | tail 2
log -d | grep DEVICE=+pci:0000:00:00
log -a
log -s | head 2`,
  mach: `
mach
mach -m
mach -c | head 6
mach -o`,
  mod: `
mod
mod -t
mod -g loop
mod loop
mod nosuch
mod -d loop`,
  mount: `
mount
mount -n 2
mount proc
mount nosuch
mount -f`,
  net: `
net
net -a
net -n 1
net -s
net -s 1
foreach net -s -R 5
foreach workers net -S -R 5 | head 12
net --sockets | head 12
net --sockets tcp
net --sockets unix
net --sockets nosuch
net --packet
net --pcap
net -N 0100007f
net -N zz
net -R 5
net -s 99999
net nosuch`,
  output: `
output init_task.pid
output/x init_task.tasks.next`,
  p: `
p jiffies
px jiffies
p linux_banner
p init_task.pid
p init_task.comm
p ((struct task_struct *)&init_task)->prio
p $1 + 1
p sizeof(struct page)
p (enum pid_type)2
p PIDTYPE_SID
p init_uts_ns.name
p runqueues
p runqueues:0 | head 5
p runqueues:a | grep nr_running
p &init_task.tasks
p/t init_task.flags
p/x init_task.comm
p/a init_task.cred
p offsetof(struct task_struct, se.on_rq)
p container_of(init_task.tasks.next, struct task_struct, tasks)->comm
p per_cpu(runqueues, 0).cpu
p $n = 6 * 7
p $n / 4.0
p init_task.comm[0..3]
p "text"
p (typeof(init_task) *)0
p init_task.nosuch
p sizeof(
p *(int *)0
p nosuch`,
  print: `
print jiffies
print/x init_task.tasks
print nosuch`,
  ps: `
ps | head 6
ps -A
ps -S
ps -u | head 4
ps -k | head 4
ps -G | tail 2
ps -I | head 3
ps -s 1 2
ps -H 1
ps -Y | head 4
ps -y FIFO
ps -p kthreadd
ps -c 0 | head 4
ps -t 1
ps -l | head 3
ps -m | head 3
ps -C 0 -m | head 3
ps -a 1
ps -g workers
ps -r 1
ps 'cpuhp.*'
ps nosuch`,
  ptob: `
ptob 512a 1204 0x10
ptob`,
  ptov: `
ptov 1000
ptov runqueues:a
ptov runqueues:0,1
ptov zz`,
  ptype: `
ptype modules
ptype init_task.cred | head 3
ptype atomic_t
ptype schedule
ptype enum pid_type
ptype/o struct rb_node
ptype/ox struct list_head
ptype /o struct qspinlock
ptype nosuch`,
  rcu: `
rcu
rcu -a | head 12`,
  rd: `
rd init_task 4
rd --annotate init_task 64 | head 24
rd -a $TEXT
rd -8 $TEXT 16
rd -16 $TEXT 8
rd -32 $TEXT 4
rd -x $TEXT 2
rd -d jiffies
rd -D jiffies
rd -s modules 2
rd -S init_task 40
rd -SS init_task 20
rd -N -32 $TEXT 2
rd -R $TEXT 2
rd -o 8 $TEXT
rd -e init_task+16 init_task
rd -p 1000
rd -u $USER
rd 0
rd -f 0
rd linux_banner 1
rd nosuch`,
  repeat: `
repeat ptob 512a
repeat -0 -n 2 ptob 512a
repeat -n 0 sys
repeat
repeat repeat sys`,
  runq: `
runq
runq -g
runq -t
runq -T
runq -m
runq -c 0
runq -c 9`,
  sbitmapq: `
sbitmapq
sbitmapq -s request init_task
sbitmapq 1
sbitmapq init_task`,
  set: `
set
set 2
set
set -p
set -c 0
set radix 16
eval 10 | head 1
set radix
hex
dec
set -v
set nosuch 1
set 99999`,
  slab: `
slab objects -a mm_struct
slab objects -f mm_struct
slab objects nosuch
slab owners
slab owners dentry
slab owners -p
slab owners ffff000000000000
slab`,
  sig: `
sig 1 | head 12
sig 1 | tail 9
sig -g 1 | tail 8
sig -l | head 3
sig -s 800a000000000201
sig 99999`,
  struct: `
struct list_head
struct list_head -o
struct list_head modules
struct list_head -o modules
struct list_head -r modules
struct list_head.next -p modules
struct list_head -c 2 modules
struct list_head -c -2 modules
struct task_struct.sched_class,stack -p init_task | head 12
struct list_head -x modules
struct task_struct -o | head 4
struct task_struct | tail 3
struct task_struct.pid,tgid,comm,se.on_rq
struct task_struct.pid,tgid,comm,flags init_task
struct task_struct.pid,flags -x init_task
struct task_struct.comm -o init_task
struct task_struct.cred -p init_task | head 5
struct task_struct.pid -l task_struct.tasks modules
struct rq.cpu,nr_running runqueues:a
struct rq.cpu runqueues:1
struct page -o | head 5
struct page -ox | head 5
struct qspinlock
struct task_struct.cred->usage,nsproxy.uts_ns.name.sysname,comm[0..3] init_task
struct task_struct.cred->usage
struct task_struct.nosuch
struct nosuch
struct list_head 0`,
  swap: `
swap`,
  sym: `
sym schedule
sym schedule+0x10
sym $FAULT
sym -np schedule
sym -q vfs_readv
sym -l | head 2
sym -M | head 3
sym -m loop | head 3
sym 10
sym nosuch`,
  sys: `
sys
sys -t
sys -i
sys -c | head 4
sys -c getpid
sys -c 1
sys config
sys -panic`,
  task: `
task -R pid,comm,flags
task -R pid,se.on_rq 2
task -x -R flags 1
task 1 | head 4
task 1 | tail 6
task -R nosuch
task 99999`,
  timer: `
timer
timer -r
timer -C 1 | head 8
timer -C 9`,
  tree: `
tree -o vmap_area.rb_node -s vmap_area.va_start,va_end free_vmap_area_root | head 9
tree -l -p free_vmap_area_root | head 4
tree -t xarray -p -r pid_namespace.idr -s pid.level init_pid_ns | head 6
tree -t radix -r pid_namespace.idr init_pid_ns | tail 2
tree -t maple -p -r mm_struct.mm_mt init_mm
tree -t maple 0
tree -t nosuch modules
tree nosuch`,
  union: `
union rcu_special
union rcu_special -o
union thread_union | tail 1
union nosuch
union list_head`,
  up: `
up
up 999
up`,
  vtop: `
vtop init_task
vtop schedule
vtop -c 1 $USER
vtop -c 2 $USER
vtop 0`,
  vm: `
vm 1
vm -p 1 | head 12
vm -R $USER 1
vm -R busybox 1
foreach user vm -R [heap] | head 3
vm -m 1 | head 8
vm -x -v 1 | head 8
vm -P 0 1
vm -f 8100073 0 10
vm 2
vm -M 0 1
vm -p -m 1`,
  waitq: `
waitq log_wait
waitq nosuch
waitq 0`,
  whatis: `
whatis dead000000000122
whatis 0xffffffffffffffea
whatis 0x18
whatis list_head
whatis struct list_head -o
whatis ksys_read
whatis enum pid_type
whatis PIDTYPE_SID
whatis pid_t
whatis init_task.mm
whatis linux_banner
whatis init_task
whatis -r 64 -m list_head | head 5
whatis -r 8192-9000 | head 5
whatis -r 256 -m list_head | head 8
whatis -m nosuch
whatis nosuch`,
  wq: `
wq
wq -a | head 12
wq -d
wq events
wq nosuch`,
  x: `
x/4xg &init_task
x/s linux_banner
x/2i schedule
x
x/4a &init_task.tasks
x/4dw &init_task.prio
x/8cb init_task.comm
x/xg 0
x/q 0`,
  pte: `
pte 3f1ab067 800000003f1ab163
pte 0
pte
pte zz`,
  wr: `
wr jiffies 0`,
  rustfilt: `
rustfilt _RNvNtCs1234_6kernel5print11call_printk
rustfilt _ZN4core9panicking5panic17h0123456789abcdefE nosuch
rustfilt nosuch
rustfilt`,
  search: `
search -t init_task | head 12
search -s init_task -l 4096 -x 1 init_task | head 8
search -c 'Linux version' | tail 4
search -T -m fff init_task | head 3
search -h 12345
search -c -x 2 a
search`,
};

/** Lines that follow those of every sample. */
const MORE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "x86-64-hung-tasks": {
    bt: `
bt 118
bt -F 118 | head 20`,
    foreach: `
foreach UN ps
foreach UN bt -s`,
    ps: `
ps -m 118 119 120`,
  },
};

/**
 * The instruction that the kernel died at, an address in pid 1's memory whose page a dump at level 31 leaves out, and a string. The arm64
 * kernel lists functions only; its release stands in init_uts_ns, which VMCOREINFO names.
 */
const OPERANDS: Readonly<Record<string, { readonly fault: string; readonly user: string; readonly text: string }>> = {
  "x86-64-null-pointer": { fault: "lab_fault_map_segment+0x85", user: "4ae3f7", text: "linux_banner" },
  "arm64-null-pointer": { fault: "lab_fault_map_segment+0xa0", user: "41e5c0", text: "init_uts_ns+134" },
  "x86-64-hung-tasks": { fault: "__crash_kexec+0x98", user: "4ae3f7", text: "linux_banner" },
};

/** Command lines by command for a sample. */
export function linesOf(sample: Sample): Map<string, readonly string[]> {
  const { fault, user, text } = OPERANDS[sample.name] as (typeof OPERANDS)[string];
  return new Map(
    Object.entries(LINES).map(([command, lines]) => {
      const all = `${lines}${MORE[sample.name]?.[command] ?? ""}`;
      return [command, all.replaceAll("$FAULT", fault).replaceAll("$USER", user).replaceAll("$TEXT", text).trim().split("\n")];
    }),
  );
}
