/** `set`: the task that commands apply to, and the session's variables. */
import { LookupError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { panicTask } from "../linux/panic-task.ts";
import { activeTasks, makeActive } from "../linux/task.ts";
import { defineCommand, type Session } from "./command.ts";
import { nearestNames } from "./support/nearest.ts";
import { parseCount } from "./support/numbers.ts";
import { evaluateIn } from "./support/session-scope.ts";
import { contextLines, type TaskContext, taskContext } from "./support/task-context.ts";
import { taskOperand } from "./support/task-operand.ts";
import { findVariable, SETTING_NAMES, VARIABLES } from "./support/variables.ts";

export interface SetResult {
  readonly context?: TaskContext;
  readonly variables?: readonly { readonly name: string; readonly value: string; readonly help: string }[];
  /** `set -v`: one line each, aligned. */
  readonly all?: boolean;
}

export const set = defineCommand<SetResult>({
  spec: {
    name: "set",
    summary: "the task that commands apply to; variables of the session",
    synopsis: ["[[-a] pid | [-a] task | -c cpu | -p]", "-v", "variable [value]", "$name = expression"],
    description: [
      "Without operands, shows the task that commands such as bt, vm or files apply to when they are given none. With a pid or the address of a task, makes it that task.",
      `Variables: ${SETTING_NAMES.join(", ")}. With a value, sets the variable; without, shows it.`,
      "A name with a dollar is a convenience variable of expressions: set $t = (struct task_struct *)0xffff888003a4c000.",
    ],
    options: [
      { flag: "-a", help: "take the task for the one that was running on its CPU, where the dump names a wrong one" },
      { flag: "-c", argument: "cpu", help: "the task that was running on this CPU" },
      { flag: "-p", help: "the task that panicked" },
      { flag: "-v", help: "all variables" },
    ],
    operands: ["task"],
    examples: [
      ["set 1", "commands now apply to pid 1"],
      ["set -p", "back to the task that panicked"],
      ["set radix 16", "numbers in hexadecimal; so does hex"],
    ],
    differences: ["The variable edit stays emacs.", "All bits of a task's state are named (TASK_INTERRUPTIBLE|TASK_FREEZABLE)."],
    minimal: true,
  },
  run(session, args) {
    const { kernel } = session;
    const [first, ...rest] = args.operands;
    if (args.has("-v")) return { variables: VARIABLES.map((variable) => shown(session, variable)), all: true };
    if (args.has("-a")) {
      if (first === undefined) throw new UsageError("usage: set -a pid | task");
      const task = taskOperand(kernel, first);
      makeActive(kernel, task);
      session.context = task.address;
    } else if (args.has("-p")) {
      const panic = panicTask(kernel);
      if (panic === undefined) throw new LookupError("no task that panicked was found in this dump");
      session.context = panic.task.address;
    } else if (args.has("-c")) {
      const cpu = parseCount(args.value("-c") as string);
      const running = activeTasks(kernel).find((active) => active.cpu === cpu);
      if (running === undefined) throw noneOn(kernel, cpu);
      session.context = running.task.address;
    } else if (first !== undefined) {
      const assignment = /^(?:var(?:iable)?\s+)?(\$\w+\s*=.*)$/s.exec(args.line)?.[1];
      if (assignment !== undefined) {
        evaluateIn(session, assignment);
        return {};
      }
      const variable = findVariable(first);
      if (variable !== undefined) {
        if (rest.length > 0) variable.assign(session, rest.join(" "));
        return { variables: [shown(session, variable)] };
      }
      if (rest.length > 0) throw new LookupError(`no variable named "${first}"`, nearestNames(first, SETTING_NAMES));
      if (session.minimal === true) throw new UsageError("there is no task table with --minimal");
      try {
        session.context = taskOperand(kernel, first).address;
      } catch (error) {
        if (error instanceof LookupError && !/^[0-9a-fx]+$/i.test(first))
          throw new LookupError(`no variable named "${first}"`, nearestNames(first, SETTING_NAMES));
        throw error;
      }
    }
    return { context: taskContext(kernel, session.context) };
  },
  api: () => "// set changes the prompt's session: a script names the task, the CPU and the radix where it needs them",
  *text({ context, variables, all }) {
    if (context !== undefined) yield* contextLines(context);
    const width = all === true ? 14 : 0;
    for (const { name, value } of variables ?? []) {
      // crash's own words for this one, which scripts look for.
      if (name === "radix" && all !== true) yield `output radix: ${value}`;
      else yield `${name.padStart(width)}: ${value}`;
    }
  },
});

function shown(session: Session, variable: (typeof VARIABLES)[number]) {
  return { name: variable.name, value: variable.show(session), help: variable.help };
}

function noneOn(kernel: Kernel, cpu: number): Error {
  const cpus = cpuMasks(kernel).possible;
  if (cpus.includes(cpu)) return new LookupError(`no task is known to have run on CPU ${cpu}`);
  return new UsageError(`invalid cpu number: system has only ${cpus.length} cpus`);
}
