/** `bt`: kernel stacks of tasks. Source of the option set and layouts: crash's own help; of the unwinding: src/stack. */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, LookupError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { panicTask } from "../linux/panic-task.ts";
import { activeTasks, readTask, type Task, taskTable, threadsOf } from "../linux/task.ts";
import type { StackFrame, UnwoundStack } from "../stack/frame.ts";
import { btApi } from "./api/tasks.ts";
import type { ParsedArguments } from "./arguments.ts";
import { flameTree, foldedStacks } from "./bt/flame.ts";
import { flameSvg } from "./bt/flame-svg.ts";
import { groupsText } from "./bt/group-text.ts";
import { stackGroups } from "./bt/groups.ts";
import { cpuStacks, overflows, refers, taskStackResult } from "./bt/queries.ts";
import { type BtResult, type BtStack, type BtView, VIEW } from "./bt/result.ts";
import { BT_SPEC } from "./bt/spec.ts";
import { exceptionFrameText, stackName, stackText, taskHeader } from "./bt/text.ts";
import { btVariables } from "./bt/variables.ts";
import { defineCommand, type Session } from "./command.ts";
import { savedBytes } from "./saved-bytes.ts";
import { parseCpuList } from "./support/cpu-list.ts";
import { lazy } from "./support/lazy.ts";
import { parseAddress } from "./support/numbers.ts";
import { taskOperand } from "./support/task-operand.ts";

const NO_LINES =
  "-l wants source lines, which only debug information has: open the dump with the kernel's vmlinux (inquest DUMP VMLINUX); bt -s shows offsets";

const NO_VARIABLES =
  "-V wants parameters and locals, which only debug information has: open the dump with the kernel's vmlinux (inquest DUMP VMLINUX)";

/** Sessions in which `bt -O` made the scan the default. */
const scanning = new WeakSet<Kernel>();

export const bt = defineCommand<BtResult>({
  spec: BT_SPEC,
  run(session, args) {
    const { kernel } = session;
    if (args.has("-l") && kernel.debugInfo.files.length === 0) throw new UnsupportedError(NO_LINES);
    if (args.has("-A")) throw new UnsupportedError("bt -A is for s390x only");
    const view = viewOf(kernel, args);
    if (args.has("-O")) {
      if (scanning.delete(kernel)) return { [VIEW]: view, method: "new" };
      scanning.add(kernel);
      return { [VIEW]: view, method: "old" };
    }
    if (args.has("-v")) return { [VIEW]: view, overflows: overflows(kernel) };
    if (args.has("-E")) return { [VIEW]: view, cpuStacks: cpuStacks(kernel, cpusOf(kernel, args)) };
    const options = {
      raw: args.has("-r"),
      text: args.has("-T") ? ("all" as const) : args.has("-t") ? ("above" as const) : undefined,
      scan: args.has("-o") || scanning.has(kernel),
      exceptions: args.has("-e"),
      words: args.has("--annotate")
        ? { symbols: false, slabs: false, notes: true }
        : args.has("-F") || args.has("-FF")
          ? { symbols: true, slabs: true }
          : args.has("-f")
            ? { symbols: false, slabs: false }
            : undefined,
      variables: args.has("-V") ? (stack: UnwoundStack, frame: StackFrame) => btVariables(session, stack, frame) : undefined,
      inlined: !args.has("-i"),
      lines: args.has("-l"),
      pc: startAddress(kernel, args, "-I"),
      sp: startAddress(kernel, args, "-S"),
    };
    if (args.has("--group") || args.has("--flame")) return grouped(session, args, view);
    const tasks = selectTasks(session, args);
    if (args.has("-V") && !kernel.debugInfo.present) throw new UnsupportedError(NO_VARIABLES);
    const reference = args.value("-R");
    const wanted = reference === undefined ? undefined : referenceOf(kernel, reference);
    const stacks = lazy(function* (): Generator<BtStack> {
      for (const task of tasks) {
        if (wanted !== undefined && !refers(kernel, task, wanted)) continue;
        yield taskStackResult(kernel, task, options);
      }
    });
    return { [VIEW]: view, stacks };
  },
  api: (session, args) =>
    btApi(
      session,
      args,
      BT_SPEC.options.map(({ flag }) => flag),
    ),
  *text(result, { radix }) {
    const view = result[VIEW];
    if (result.overflows !== undefined) {
      for (const { task, problem } of result.overflows) yield* [taskHeader(task), `  possible stack overflow: ${problem}`];
      if (result.overflows.length === 0) yield "No stack overflows detected";
      return;
    }
    if (result.flame !== undefined) {
      const { file, tasks } = result.flame;
      yield `${tasks} ${tasks === 1 ? "stack" : "stacks"} drawn into ${file}`;
    }
    const { groups, idleCpus, tasks } = result;
    if (groups !== undefined) yield* groupsText({ groups, idleCpus: idleCpus ?? [], tasks: tasks ?? 0 }, view, radix);
    if (result.method !== undefined) yield `bt: use ${result.method} bt method by default`;
    let first = true;
    if (result.cpuStacks?.length === 0) yield "(where these CPUs have their interrupt and exception stacks is not known in this dump)";
    for (const stack of result.cpuStacks ?? []) {
      if (!first) yield "";
      first = false;
      yield `${stack.cpu === null ? "" : `CPU ${stack.cpu} `}${stackName(stack.stack).toUpperCase()}:`;
      if (stack.exceptionFrames.length === 0) yield "(none found)";
      else yield* exceptionFrameText(stack.exceptionFrames, view, view.radix ?? radix);
    }
    for (const stack of result.stacks ?? []) {
      if (!first) yield "";
      first = false;
      yield* stackText(stack, view, radix);
    }
  },
});

/** What neither option has a meaning with. */
const NOT_GROUPED = ["--annotate", "-r", "-t", "-T", "-o", "-e", "-f", "-F", "-FF", "-l", "-y", "-V", "-I", "-S", "-R"];

/** --group and --flame: all tasks, where none are chosen. */
function grouped(session: Session, args: ParsedArguments, view: BtView): BtResult {
  const { kernel, progress } = session;
  const option = args.has("--group") ? "--group" : "--flame";
  const other = NOT_GROUPED.find((flag) => args.has(flag));
  if (other !== undefined) throw new UsageError(`bt: ${option} folds equal stacks: ${other} shows what differs between them`);
  const chosen = args.operands.length > 0 || ["-a", "-c", "-p", "-g", "-n"].some((flag) => args.has(flag));
  const tasks = chosen ? selectTasks(session, args) : taskTable(kernel).tasks;
  const groups = stackGroups(kernel, tasks, !args.has("-i"), progress);
  const file = args.value("--flame");
  if (file === undefined) return { [VIEW]: view, ...groups };
  const tree = flameTree(groups);
  const title = `${kernel.dump.files[0]?.split("/").at(-1) ?? "dump"}: kernel stacks of ${tasks.length} ${tasks.length === 1 ? "task" : "tasks"}`;
  const content = file.endsWith(".folded") ? [...foldedStacks(tree), ""].join("\n") : flameSvg(tree, title);
  const save = savedBytes(file, new TextEncoder().encode(content));
  const flame = { file, tasks: tree.count, stacks: groups.groups.length };
  return args.has("--group") ? { [VIEW]: view, ...groups, flame, save } : { [VIEW]: view, flame, save };
}

function viewOf(kernel: Kernel, args: ParsedArguments): BtView {
  return {
    machine: kernel.arch.name,
    offsets: args.has("-s"),
    radix: args.has("-x") ? 16 : args.has("-d") ? 10 : undefined,
    registers: args.has("-y"),
    slabAddresses: args.has("-FF") || args.count("-F") > 1,
    ...(args.has("--annotate") ? { notes: true } : {}),
  };
}

function startAddress(kernel: Kernel, args: ParsedArguments, flag: string): VirtualAddress | undefined {
  const text = args.value(flag);
  return text === undefined ? undefined : parseAddress(kernel, text);
}

/** -R takes a symbol or a hexadecimal number. */
function referenceOf(kernel: Kernel, text: string): { readonly name: string; readonly value: bigint | undefined } {
  const symbol = kernel.symbols.byName(text);
  if (symbol !== undefined) return { name: text, value: symbol.address };
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(text)) throw new LookupError(`no symbol named "${text}" in this dump`, kernel.nearestSymbols(text));
  return { name: text, value: virtual(BigInt(text.startsWith("0x") ? text : `0x${text}`)) };
}

function cpusOf(kernel: Kernel, args: ParsedArguments): number[] {
  const possible = kernel.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [cpu]));
  return parseCpuList(args.value("-c") ?? "a", possible);
}

function selectTasks(session: Session, args: ParsedArguments): readonly Task[] {
  const { kernel } = session;
  if (args.has("-a") || args.has("-c")) {
    const cpus = new Set(cpusOf(kernel, args));
    const idleToo = args.value("-n") !== "idle";
    const active = activeTasks(kernel).filter(({ cpu }) => cpus.has(cpu));
    const found = active.filter(({ task }) => idleToo || !task.idle).map(({ task }) => task);
    if (active.length === 0) throw new LookupError("no task is known to have run on these CPUs");
    const unknown = cpuMasks(kernel).present.filter((cpu) => cpus.has(cpu) && !active.some((each) => each.cpu === cpu));
    if (unknown.length > 0) kernel.note(`no task is known to have run on CPU ${unknown.join(", ")}: its stack is missing from the answer`);
    return found;
  }
  if (args.has("-n") && args.value("-n") !== "idle") throw new UsageError(`bt -n knows only "idle", not "${args.value("-n")}"`);
  if (args.has("-p")) {
    const panic = panicTask(kernel);
    if (panic === undefined) throw new LookupError("no task that panicked was found in this dump");
    return [panic.task];
  }
  const chosen =
    args.operands.length === 0 ? [contextTask(kernel, session.context)] : args.operands.map((word) => taskOperand(kernel, word));
  return args.has("-g") ? chosen.flatMap((task) => threadsOf(kernel, task)) : chosen;
}

/** The context may be a task that is on no list (`set` takes any address). */
function contextTask(kernel: Kernel, address: VirtualAddress): Task {
  const known = taskTable(kernel).byAddress.get(address);
  if (known !== undefined) return known;
  try {
    return readTask(kernel, address);
  } catch (error) {
    if (error instanceof FaultError) throw new LookupError(`the task at ${hex16(address)} cannot be read: ${error.message}`);
    throw error;
  }
}
