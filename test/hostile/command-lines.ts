/**
 * What every command is asked of a damaged dump. A command that is not listed fails the test; each option of a command that takes no
 * argument is tried besides, by itself, in some of the seeds.
 *
 *   $TASK   address of a task, $MM of its mm_struct, $FILE of an open file, $PAGE of a struct page, $OBJECT of a slab object
 */
import type { CommandRegistry } from "../../src/commands/command.ts";

/** Lines by command name; one a line. */
export const COMMAND_LINES: Readonly<Record<string, string>> = {
  "*": "* task_struct.comm,pid $TASK",
  alias: "alias",
  ascii: "ascii 6162",
  blk: `
blk
blk -v`,
  bpf: `
bpf
bpf -P
bpf -M
bpf -p 1
bpf -m 1`,
  bt: `
bt
bt -a
bt -f 1
bt -FF 1
bt -e 1
bt -t 1
bt --group`,
  btop: "btop 512a000",
  cgroup: `
cgroup
cgroup -a`,
  cpu: "cpu",
  dev: `
dev
dev -i
dev -p
dev -d
dev -D`,
  dis: "dis schedule",
  down: "down",
  eval: "eval 1+1",
  exit: "",
  extend: "extend",
  files: `
files
files -c 1
files -n 1
files -d $OBJECT
files -p $OBJECT`,
  foreach: `
foreach bt
foreach files
foreach vm
foreach sig
foreach net
foreach task -R pid
foreach ps -l`,
  frame: "frame",
  ftrace: `
ftrace -l
ftrace`,
  fuser: `
fuser /
fuser $OBJECT`,
  gcore: "gcore 1",
  gdb: "gdb p init_task.pid",
  help: "help",
  info: "info registers",
  ipcs: `
ipcs
ipcs -s
ipcs -M
ipcs -S
ipcs -Q`,
  irq: `
irq
irq -u
irq -b
irq -a
irq -s`,
  kmem: `
kmem -i
kmem -s
kmem -S dentry
kmem -v
kmem -f
kmem -p
kmem $OBJECT
kmem $TASK
kmem $PAGE
kmem -s $OBJECT
kmem -r task_struct`,
  list: `
list -H modules
list task_struct.tasks -s task_struct.pid -h init_task
list -H slab_caches kmem_cache.list -s kmem_cache.name`,
  analyze: `
analyze
analyze -v`,
  lock: `
lock
lock -v`,
  log: `
log
log -t
log -m`,
  mach: `
mach
mach -m
mach -c`,
  mod: `
mod
mod -t`,
  mount: `
mount
mount -f
mount -i
mount -n 1`,
  net: `
net
net -a
net -s 1
net -S 1
net -n 1
net --sockets
net --packet`,
  output: "output init_task.pid",
  p: `
p init_task.comm
p runqueues:0
p *(struct task_struct *)$TASK`,
  print: "print jiffies",
  ps: `
ps
ps -a
ps -t
ps -l
ps -m
ps -g
ps -r
ps -p
ps -c
ps -S
ps -A
ps -y`,
  pte: "pte 8000000000000067",
  ptob: "ptob 1",
  ptov: "ptov 1000",
  ptype: "ptype task_struct",
  rcu: "rcu",
  rd: `
rd $TASK 64
rd -SS $TASK 64
rd -a $TASK`,
  repeat: "repeat -n 1 ptob 1",
  runq: `
runq
runq -t
runq -T
runq -m
runq -g
runq -d`,
  rustfilt: "rustfilt _RNvC6kernel",
  sbitmapq: "sbitmapq $OBJECT",
  search: `
search -k deadbeefdeadbeef
search -t ffffffffdeadbeef`,
  set: `
set
set 1
set -v`,
  sig: `
sig
sig -l
sig -g 1
sig -s 1`,
  slab: `
slab owners`,
  struct: `
struct task_struct $TASK
struct page $PAGE
struct mm_struct $MM`,
  swap: "swap",
  sym: `
sym schedule
sym -l`,
  sys: `
sys
sys -t
sys -i`,
  task: `
task
task -x 1`,
  timer: `
timer
timer -r`,
  tree: `
tree -t xarray -r pid_namespace.idr init_pid_ns
tree -o vmap_area.rb_node free_vmap_area_root
tree -t maple -r mm_struct.mm_mt $MM
tree -o mm_struct.mm_rb $MM`,
  union: "union thread_union",
  up: "up",
  vm: `
vm 1
vm -p 1
vm -m 1
vm -v 1`,
  vtop: `
vtop $TASK
vtop -c 1 400000`,
  waitq: `
waitq $OBJECT
waitq task_struct.tasks $TASK`,
  whatis: `
whatis $OBJECT
whatis $TASK`,
  wq: `
wq
wq -a`,
  wr: "wr jiffies 0",
  x: "x/4xg &init_task",
};

/** An option of each command is asked in one of so many seeds; and so is what goes over all of memory or all symbols. */
const ROUNDS = 6;
const LONG = /^(search|sym -l|kmem -p)/;

/** Names of commands that have no lines yet. */
export function unlisted(registry: CommandRegistry): readonly string[] {
  const names = registry.all().map(({ spec }) => spec.name);
  return names.filter((name) => COMMAND_LINES[name] === undefined);
}

/** All lines for a seed, with the addresses filled in. */
export function linesFor(registry: CommandRegistry, seed: number, addresses: ReadonlyMap<string, string>): readonly string[] {
  const listed = Object.values(COMMAND_LINES)
    .flatMap((text) => text.split("\n").filter(Boolean))
    .filter((line) => registry.find(line.replace(/[ /].*/, "")) !== undefined && (!LONG.test(line) || seed % ROUNDS === 0));
  const options = registry
    .all()
    .filter(({ spec }) => spec.rawLine !== true && spec.name !== "exit")
    .flatMap(({ spec }) => spec.options.filter(({ argument }) => argument === undefined).map(({ flag }) => `${spec.name} ${flag}`))
    .filter((line, index) => index % ROUNDS === seed % ROUNDS && !listed.includes(line));
  return [...listed, ...options].map((line) => line.replace(/\$([A-Z]+)/g, (word, name: string) => addresses.get(name) ?? word));
}
