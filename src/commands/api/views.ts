/**
 * `--api`: library code for the views of the system: mounts, files, sockets, timers, locks, disks … Forms with options that the library
 * has no call for give undefined, and run the command.
 */
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { literal } from "../api-code.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { Session } from "../command.ts";
import { BRIEF, tasksCode } from "./tasks.ts";

/** Makes a command's api() of the code for its form without operands. @param but options that change the layout alone, or are in the code */
export function viewApi(
  code: string | ((args: ParsedArguments) => string | undefined),
  but: readonly string[] = [],
): (session: Session, args: ParsedArguments) => string | undefined {
  return (_, args) => {
    if (args.operands.length > 0 || !onlyHas(args, but)) return undefined;
    return typeof code === "string" ? code : code(args);
  };
}

/** True when no other options were given. */
function onlyHas(args: ParsedArguments, flags: readonly string[]): boolean {
  return args.flags.every((flag) => flags.includes(flag));
}

/** files of tasks. */
export function filesApi(session: Session, args: ParsedArguments): string | undefined {
  if (!onlyHas(args, [])) return undefined;
  return `${BRIEF}
const row = (task) => {
  const { root, cwd } = task.directories ?? {};
  return { task: brief(task), root: root?.path, cwd: cwd?.path, files: task.openFiles() };
};
return { tasks: ${tasksCode(session, args.operands)}.map(row) };`;
}

/** vm: the mappings of tasks. */
export function vmApi(session: Session, args: ParsedArguments): string | undefined {
  if (!onlyHas(args, [])) return undefined;
  return `${BRIEF}
return { tasks: ${tasksCode(session, args.operands)}.map((task) => ({ task: brief(task), mappings: task.mappings() })) };`;
}

/** sig of tasks. */
export function sigApi(session: Session, args: ParsedArguments): string | undefined {
  if (!onlyHas(args, [])) return undefined;
  return `const row = (task) => {
  const { signal, threads, actions, blocked, own, shared, queued } = task.signals();
  return { task: task.address, pid: task.pid, comm: task.comm, cpu: task.cpu, signal, threads, actions, blocked, own, shared, queued };
};
return { tasks: ${tasksCode(session, args.operands)}.map(row) };`;
}

/** mount: all mounts of the context's task, or of the one named by -n. */
export function mountApi(session: Session, args: ParsedArguments): string | undefined {
  if (args.operands.length > 0 || !onlyHas(args, ["-n"])) return undefined;
  const named = args.value("-n");
  return `const [task] = ${tasksCode(session, named === undefined ? [] : [named])};
return { mounts: kernel.mounts(task) };`;
}

/** net: devices, neighbours, sockets. @param address what -N made of its number */
export function netApi(session: Session, args: ParsedArguments, address: string | undefined): string | undefined {
  if (address !== undefined) return `return { address: ${literal(address)} };`;
  if (args.has("-n") && onlyHas(args, ["-n"])) {
    return `const [task] = ${tasksCode(session, args.operands)};
return { devices: kernel.netDevices(task) };`;
  }
  if (args.operands.length > 0 || args.flags.length > 1) return undefined;
  switch (args.flags[0]) {
    case undefined:
      return "return { devices: kernel.netDevices() };";
    case "-a":
      return "return { neighbours: kernel.neighbours() };";
    case "--sockets":
      return "return { namespaces: kernel.netNamespaces(), sockets: kernel.sockets() };";
    default:
      return undefined;
  }
}

/** bpf: programs and maps as lists. */
export function bpfApi(_: Session, args: ParsedArguments): string | undefined {
  if (args.operands.length > 0 || !onlyHas(args, ["-P", "-M"])) return undefined;
  const all = args.flags.length === 0;
  const parts = [
    ...(all || args.has("-P") ? ["programs: kernel.bpfPrograms()"] : []),
    ...(all || args.has("-M") ? ["maps: kernel.bpfMaps()"] : []),
  ];
  return `return { ${parts.join(", ")} };`;
}

/** timer and timer -r of all CPUs. */
export const timerApi = viewApi(
  (args) => (args.has("-r") ? "return { hrtimers: kernel.highResolutionTimers() };" : "return { bases: kernel.timers() };"),
  ["-r"],
);

/** irq -u and irq -s. */
export const irqApi = viewApi(
  (args) => {
    if (args.flags.length !== 1) return undefined;
    return args.has("-u")
      ? "return { irqs: kernel.interruptLines() };"
      : "const { irqs, cpus, architecture } = kernel.interrupts();\nreturn { irqs, cpus, architecture };";
  },
  ["-u", "-s"],
);

/** rcu; without -a only the SRCU domains with something to do, which the code leaves out. */
export const rcuApi = viewApi(
  (args) =>
    `const { flavours, ${args.has("-a") ? "srcu, " : ""}waiters } = kernel.rcu();\nreturn { flavours, ${args.has("-a") ? "srcu, " : ""}waiters };`,
  ["-a"],
);

/** cgroup, with all hierarchies or those that somebody made groups in. */
export const cgroupApi = viewApi(
  (args) =>
    args.has("-a")
      ? "return { hierarchies: kernel.cgroups() };"
      : `const used = ({ version, groups }, _, all) => version === 2 || [...groups].length > 1 || all.length === 1;
return { hierarchies: kernel.cgroups().filter(used) };`,
  ["-a", "-t"],
);

/** ftrace: the instances, or all events of one. */
export const ftraceApi = viewApi(
  (args) => {
    if (args.has("-l")) return args.has("-i") ? undefined : "return { instances: kernel.traceInstances() };";
    return `return { events: kernel.trace(${args.has("-i") ? literal(args.value("-i") ?? "") : ""}) };`;
  },
  ["-l", "-i"],
);

/** ipcs: all kinds of the first namespace. */
export const ipcsApi = viewApi("const { shared, semaphores, queues } = kernel.ipc();\nreturn { shared, semaphores, queues };");

/** wq; -d and -a change the text alone. */
export const wqApi = viewApi("const { pools, queues, delayed } = kernel.workQueues();\nreturn { pools, queues, delayed };", ["-a", "-d"]);

/** swap, whose sizes are KiB. */
export const swapApi = viewApi(`const kib = kernel.machine.pageSize / 1024;
const row = ({ address, kind, pages, used, priority, path }) => ({ address, kind, size: pages * kib, used: used * kib, priority, path });
return { areas: kernel.swapAreas().map(row) };`);

/** waitq of a symbol. */
export function waitqApi(_: Session, args: ParsedArguments): string | undefined {
  const [queue, ...more] = args.operands;
  if (queue === undefined || more.length > 0 || !/^[a-z_]\w*$/i.test(queue) || /^[0-9a-f]+$/i.test(queue)) return undefined;
  return `return { waiters: kernel.waiters(${literal(queue)}) };`;
}

/** kmem ADDRESS: what kernel addresses are; user and physical ones are not what identify() takes. @param asked each operand with its value */
export function identitiesApi(asked: readonly (readonly [operand: string, value: bigint])[], kernel: Kernel): string | undefined {
  if (asked.length === 0 || !asked.every(([, value]) => kernel.arch.isKernelAddress(virtual(value)))) return undefined;
  const rows = asked.map(([operand, value]) => `  { operand: ${literal(operand)}, identity: kernel.identify(${literal(value)}) },\n`);
  return `return { addresses: [\n${rows.join("")}] };`;
}
