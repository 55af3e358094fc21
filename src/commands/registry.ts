/** All commands of Inquest, by name. A new command is one import and one entry here. */
import { alias } from "./alias.ts";
import { analyze } from "./analyze.ts";
import { ascii } from "./ascii.ts";
import { blk } from "./blk.ts";
import { bpf } from "./bpf.ts";
import { bt } from "./bt.ts";
import { btop } from "./btop.ts";
import { cgroup } from "./cgroup.ts";
import type { Command, CommandRegistry } from "./command.ts";
import { cpu } from "./cpu.ts";
import { dev } from "./dev.ts";
import { dis } from "./dis.ts";
import { evalCommand } from "./eval.ts";
import { exit } from "./exit.ts";
import { files } from "./files.ts";
import { foreach } from "./foreach.ts";
import { down, frame, up } from "./frame.ts";
import { ftrace } from "./ftrace.ts";
import { fuser } from "./fuser.ts";
import { gcore } from "./gcore.ts";
import { gdb } from "./gdb.ts";
import { help } from "./help.ts";
import { info } from "./info.ts";
import { ipcs } from "./ipcs.ts";
import { irq } from "./irq.ts";
import { kmem } from "./kmem.ts";
import { list } from "./list.ts";
import { lock } from "./lock.ts";
import { log } from "./log.ts";
import { mach } from "./mach.ts";
import { mod } from "./mod.ts";
import { mount } from "./mount.ts";
import { net } from "./net.ts";
import { output, p, print } from "./p.ts";
import { ps } from "./ps.ts";
import { pte } from "./pte.ts";
import { ptob } from "./ptob.ts";
import { ptov } from "./ptov.ts";
import { ptype } from "./ptype.ts";
import { rcu } from "./rcu.ts";
import { rd } from "./rd.ts";
import { repeat } from "./repeat.ts";
import { runq } from "./runq.ts";
import { rustfilt } from "./rustfilt.ts";
import { sbitmapq } from "./sbitmapq.ts";
import { search } from "./search.ts";
import { set } from "./set.ts";
import { sig } from "./sig.ts";
import { slab } from "./slab.ts";
import { star, struct, union } from "./struct.ts";
import { swap } from "./swap.ts";
import { sym } from "./sym.ts";
import { sys } from "./sys.ts";
import { task } from "./task.ts";
import { timer } from "./timer.ts";
import { tree } from "./tree.ts";
import { vm } from "./vm.ts";
import { vtop } from "./vtop.ts";
import { waitq } from "./waitq.ts";
import { whatis } from "./whatis.ts";
import { wq } from "./wq.ts";
import { wr } from "./wr.ts";
import { x } from "./x.ts";

/** In any order; help sorts them. One a line, so that additions do not collide. */
// biome-ignore format: one a line
const COMMANDS: readonly Command[] = [
  alias,
  analyze,
  ascii,
  bpf,
  blk,
  bt,
  btop,
  dev,
  cpu,
  cgroup,
  dis,
  evalCommand,
  exit,
  foreach,
  help,
  ipcs,
  irq,
  kmem,
  list,
  lock,
  p,
  log,
  mach,
  mod,
  net,
  ps,
  ptob,
  ptov,
  rcu,
  rd,
  search,
  wr,
  rustfilt,
  pte,
  runq,
  repeat,
  sbitmapq,
  set,
  slab,
  sig,
  star,
  struct,
  swap,
  sym,
  union,
  sys,
  task,
  timer,
  vtop,
  files,
  fuser,
  gcore,
  mount,
  vm,
  waitq,
  whatis,
  down,
  frame,
  ftrace,
  gdb,
  info,
  output,
  print,
  ptype,
  tree,
  up,
  wq,
  x,
];

/** Makes a registry of these commands. */
export function createRegistry(commands: readonly Command[]): CommandRegistry {
  const byName = new Map<string, Command>();
  for (const command of commands) {
    for (const name of [command.spec.name, ...(command.spec.aliases ?? [])]) {
      if (byName.has(name)) throw new Error(`two commands are called ${name}`);
      byName.set(name, command);
    }
  }
  const sorted = [...commands].sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
  return { find: (name) => byName.get(name), all: () => sorted };
}

export const commandRegistry: CommandRegistry = createRegistry(COMMANDS);
