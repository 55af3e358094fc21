/** `--api`: library code for tasks and their stacks (bt, ps, task, foreach, frame, info). */
import { LookupError, UsageError } from "../../bytes/errors.ts";
import { tasksWithPid, taskTable } from "../../linux/task.ts";
import { STATE_LETTERS } from "../../linux/task-state.ts";
import { literal } from "../api-code.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { Session } from "../command.ts";
import { parseCpuList } from "../support/cpu-list.ts";
import { parseNumber } from "../support/evaluate.ts";
import { currentFrame } from "../support/frame-context.ts";
import { initialContext } from "../support/initial-context.ts";
import { FOREACH_COMMANDS } from "../support/select-tasks.ts";
import { taskOperand } from "../support/task-operand.ts";
import { splitWords, type Word } from "../support/words.ts";

/** The line of code that others use for "pid, comm, address, cpu" of a task. */
export const BRIEF = "const brief = ({ pid, comm, address, cpu }) => ({ pid, comm, address, cpu });";

/** Code of one task: by pid, and by address where several have it or it is on no list. */
function taskCode(session: Session, address: bigint): string {
  const task = taskTable(session.kernel).byAddress.get(address);
  return task === undefined || tasksWithPid(session.kernel, task.pid).length !== 1
    ? `kernel.task(${literal(address)})`
    : `kernel.task(${task.pid})`;
}

/** Code of the task that a command without operands means. */
export function contextCode(session: Session): string {
  return session.context === initialContext(session.kernel) ? "kernel.panicTask" : taskCode(session, session.context);
}

/** Code of the tasks that operands name; of the context task without any. */
export function tasksCode(session: Session, operands: readonly string[]): string {
  const codes =
    operands.length === 0 ? [contextCode(session)] : operands.map((word) => taskCode(session, taskOperand(session.kernel, word).address));
  return `[${codes.join(", ")}]`;
}

const BT_OPTIONS = ["-a", "-c", "-p", "-g", "-s", "-x", "-d", "-y", "-i", "-l", "-V"];

/** bt and its tasks; the forms that show raw words have no equal in the library. */
export function btApi(session: Session, args: ParsedArguments, known: readonly string[]): string | undefined {
  if (known.some((flag) => args.has(flag) && !BT_OPTIONS.includes(flag))) return undefined;
  const options = stackOptions(session, { lines: args.has("-l"), inlined: !args.has("-i") });
  return stacksCode(btTasks(session, args), options, args.has("-V"));
}

function btTasks(session: Session, args: ParsedArguments): string {
  if (args.has("-a") || args.has("-c")) {
    const possible = session.kernel.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [cpu]));
    const cpus = args.has("-c") ? ` && [${parseCpuList(args.value("-c") ?? "a", possible).join(", ")}].includes(task.cpu)` : "";
    return `kernel.tasks().filter((task) => task.active${cpus}).sort((a, b) => a.cpu - b.cpu)`;
  }
  if (args.has("-p")) return "[kernel.panicTask]";
  return `${tasksCode(session, args.operands)}${args.has("-g") ? ".flatMap((task) => task.threads)" : ""}`;
}

/** What the library adds to a stack by itself, and the command only when asked. */
function stackOptions({ kernel }: Session, { lines, inlined }: { readonly lines: boolean; readonly inlined: boolean }): string {
  const options = [...(lines ? [] : ["lines: false"]), ...(inlined ? [] : ["inlined: false"])];
  return kernel.debugInfo.files.length === 0 || options.length === 0 ? "" : `{ ${options.join(", ")} }`;
}

function stacksCode(tasks: string, options: string, variables: boolean): string {
  if (!variables) return `return { stacks: ${tasks}.map((task) => task.stack(${options})) };`;
  return `const shown = (each) => ({ name: each.name, kind: each.kind, type: each.type, state: each.state, value: each.node() ?? null });
const frames = (stack) => stack.frames.map((frame) => ({ ...frame.toJSON(), variables: frame.variables.map(shown) }));
return { stacks: ${tasks}.map((task) => task.stack(${options})).map((stack) => ({ task: stack.task, frames: frames(stack) })) };`;
}

/** A condition on `task` for an operand of ps or foreach: what tasks know decides. */
function identityCode(session: Session, text: string, quoted: boolean): string {
  if (quoted) return `new RegExp(${literal(text)}).test(task.comm)`;
  const { tasks, byAddress } = taskTable(session.kernel);
  const pid = /^\d{1,7}$/.test(text) ? Number(text) : undefined;
  if (tasks.some((task) => task.pid === pid)) return `task.pid === ${pid}`;
  const address = parseNumber(text, 16);
  if (address !== undefined && byAddress.has(address)) return `task.address === ${literal(address)}`;
  const comm = text.slice(0, 15);
  if (!tasks.some((task) => task.comm === comm)) throw new LookupError(`invalid task or pid value: ${text}`);
  return `task.comm === ${literal(comm)}`;
}

function filtered(identities: readonly string[], conditions: readonly string[]): string {
  const any = identities.length > 1 && conditions.length > 0 ? `(${identities.join(" || ")})` : identities.join(" || ");
  const all = [any, ...conditions].filter((each) => each !== "").join(" && ");
  return all === "" ? "kernel.tasks()" : `kernel.tasks().filter((task) => ${all})`;
}

const PS_FILTERS: Readonly<Record<string, string>> = {
  "-k": "task.kernelThread",
  "-u": "!task.kernelThread",
  "-G": "task.leader",
  "-I": "!task.idle",
  "-A": "task.active",
};

/** ps: the table, and the views that follow parents, children and threads. */
export function psApi(session: Session, args: ParsedArguments): string | undefined {
  if (["-y", "-s", "-Y", "-t", "-l", "-m", "-a", "-r"].some((flag) => args.has(flag))) return undefined;
  const identities = args.operands.map((word, i) => identityCode(session, word, args.isQuoted(i)));
  const conditions = Object.entries(PS_FILTERS).flatMap(([flag, code]) => (args.has(flag) ? [code] : []));
  const tasks = filtered(identities, conditions);
  if (args.has("-S"))
    return `const states = {};
for (const { state } of ${tasks}) states[state] = (states[state] ?? 0) + 1;
return { kind: "states", states };`;
  if (args.has("-p"))
    return `${BRIEF}
const chain = (task) => (task === undefined ? [] : [...chain(task.parent), brief(task)]);
return { kind: "ancestors", chains: ${tasks}.map(chain) };`;
  if (args.has("-c"))
    return `${BRIEF}
const families = ${tasks}.map((task) => ({ task: brief(task), members: task.children.map(brief) }));
return { kind: "families", of: "children", families };`;
  if (args.has("-g"))
    return `${BRIEF}
const leaders = [...new Set(${tasks}.filter((task) => !task.idle).map((task) => task.threads[0].address))].map((at) => kernel.task(at));
const families = leaders.map((task) => ({ task: brief(task), members: task.threads.slice(1).map(brief) }));
return { kind: "families", of: "threads", families };`;
  return `return { tasks: ${tasks} };`;
}

const NARROWING: Readonly<Record<string, string>> = {
  user: "!task.kernelThread",
  kernel: "task.kernelThread",
  gleader: "task.leader && !task.kernelThread",
  active: "task.active",
};

/** foreach, for bt, ps and the members of task -R. */
export function foreachApi(session: Session, line: string): string | undefined {
  const words = splitWords(line);
  const at = words.findIndex(({ text, quoted }) => !quoted && FOREACH_COMMANDS.includes(text));
  if (at < 0) throw new UsageError("a command is missing: foreach bt");
  const command = words[at] as Word;
  const rest = words.slice(at + 1);
  const selectors = words.slice(0, at);
  const states = selectors.filter(({ text, quoted }) => !quoted && isState(text)).map(({ text }) => text.toUpperCase());
  const named = selectors.filter(({ text, quoted }) => quoted || (!isState(text) && !Object.hasOwn(NARROWING, text)));
  const narrow = selectors.flatMap(({ text, quoted }) => (quoted ? [] : (NARROWING[text] ?? [])));
  const conditions = [...(states.length === 0 ? [] : [`${JSON.stringify(states)}.includes(task.state)`]), ...narrow];
  const tasks = filtered(
    named.map(({ text, quoted }) => identityCode(session, text, quoted)),
    conditions,
  );
  if (command.text === "ps" && rest.length === 0) return `return { tasks: ${tasks} };`;
  if (command.text === "bt" && rest.every(({ text }) => /^-[slyxd]+$/.test(text))) {
    const flags = rest.map(({ text }) => text).join("");
    return stacksCode(tasks, stackOptions(session, { lines: flags.includes("l"), inlined: true }), false);
  }
  if (command.text === "task" && rest.length === 2 && rest[0]?.text === "-R") return membersCode(session, tasks, rest[1]?.text ?? "");
  return undefined;
}

function isState(text: string): boolean {
  return (STATE_LETTERS as readonly string[]).includes(text.toUpperCase());
}

/** task: the whole task_struct, or members of it. */
export function taskApi(session: Session, args: ParsedArguments): string | undefined {
  const tasks = tasksCode(session, args.operands);
  const members = args.value("-R");
  if (members !== undefined) return membersCode(session, tasks, members);
  // Before 4.9 it lay on the stack.
  if (session.kernel.types.struct("task_struct").tryField("thread_info") === undefined) return undefined;
  return `${BRIEF}
const object = (value) => ({ address: value.address, value: value.node() });
const structures = ({ struct }) => [
  { name: "task_struct", object: object(struct) },
  { name: "thread_info", object: object(struct.member("thread_info")) },
];
return { tasks: ${tasks}.map((task) => ({ task: brief(task), structures: structures(task) })) };`;
}

/** Members of task_struct; those of thread_info too are the command's business. */
function membersCode(session: Session, tasks: string, members: string): string | undefined {
  const paths = members
    .split(",")
    .map((path) => path.trim())
    .filter((path) => path !== "");
  const info = session.kernel.types.tryStruct("thread_info");
  const struct = session.kernel.types.struct("task_struct");
  const own = (path: string) => /^[\w.[\]]+$/.test(path) && struct.tryField(firstPart(path)) !== undefined;
  if (paths.some((path) => !own(path) || info?.tryField(firstPart(path)) !== undefined)) return undefined;
  return `${BRIEF}
const members = (task) => ${JSON.stringify(paths)}.map((path) => ({ path, value: task.struct.get(path).node() }));
return { tasks: ${tasks}.map((task) => ({ task: brief(task), members: members(task) })) };`;
}

function firstPart(path: string): string {
  return /^\w+/.exec(path)?.[0] ?? "";
}

/** frame, up and down: the frame at a level of the context task's stack. */
export function frameApi(session: Session, step: number, wanted: number | undefined): string {
  const { stack, frame } = currentFrame(session);
  const last = Math.max(0, stack.frames.length - 1);
  const chosen = wanted ?? Math.min(last, Math.max(0, frame.level + step));
  return `const { level, kind, pc, function: name, offset, module } = ${contextCode(session)}.stack().frames[${chosen}];
return { frame: { level, kind, pc, function: name, offset, module } };`;
}

/** A parameter or local of the context task's current frame. */
export function localApi(session: Session, name: string): string {
  return `const value = ${contextCode(session)}.stack().frames[${currentFrame(session).frame.level}].variable(${literal(name)});
return { values: [{ address: value.address, value: value.node() }] };`;
}

/** info of the current frame. @param names registers that were asked for, as the machine's file calls them */
export function frameInfoApi(session: Session, topic: string, names: readonly string[]): string | undefined {
  const { frame } = currentFrame(session);
  const code = `const frame = ${contextCode(session)}.stack().frames[${frame.level}];`;
  switch (topic) {
    case "frame":
      return `${code}
const { level, pc, sp, foundBy, certainty } = frame;
return { topic: "frame", data: { level, pc, sp, function: frame.function ?? null, foundBy, certainty } };`;
    case "registers":
    case "all-registers":
      return `${code}
const alias = { eflags: "rflags", cpsr: "pstate" };
const registers = ${JSON.stringify(names)}.map((name) => ({ name, value: frame.registers[alias[name] ?? name] ?? null }));
return { topic: ${literal(topic)}, data: { level: frame.level, registers } };`;
    case "args":
    case "locals":
      return `${code}
const wanted = frame.variables.filter(({ kind }) => kind === ${literal(topic === "args" ? "parameter" : "local")});
const whole = (value) => (value?.inner.pointee === undefined ? value?.node() : undefined);
const variables = wanted.map(({ name, kind, state, value }) => ({ name, kind, state, value: whole(value) }));
return { topic: ${literal(topic)}, data: { level: frame.level, variables } };`;
    default:
      return undefined;
  }
}
