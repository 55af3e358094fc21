/** `task`: the task_struct and thread_info of a task, whole or by members. */
import type { VirtualAddress } from "../bytes/address.ts";
import { LookupError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Task, taskAt, threadInfo } from "../linux/task.ts";
import { taskApi } from "./api/tasks.ts";
import { defineCommand, type Session } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { chosenRadix } from "./support/radix.ts";
import { resolveStruct, type StructName } from "./support/struct-name.ts";
import { type MemberValue, type ObjectValue, objectLines, readObject } from "./support/struct-object.ts";
import { taskHeader } from "./support/task-header.ts";
import { taskOperand } from "./support/task-operand.ts";
import { valueReader } from "./support/value-reader.ts";

export interface TaskDump {
  readonly task: Pick<Task, "pid" | "comm" | "address" | "cpu">;
  /** Whole structures: task_struct, then thread_info. */
  readonly structures?: readonly { readonly name: string; readonly object: ObjectValue }[];
  /** With -R. */
  readonly members?: readonly MemberValue[];
}

export interface TaskResult {
  readonly tasks: Iterable<TaskDump>;
  readonly radix?: 10 | 16;
}

export const task = defineCommand<TaskResult>({
  spec: {
    name: "task",
    summary: "the task_struct and thread_info of a task",
    synopsis: ["[-R member[,member]…] [-dx] [pid | task]…"],
    description: [
      "Shows the task_struct and the thread_info of the context task or of the tasks named. With -R only the members named, of either structure.",
    ],
    options: [
      { flag: "-R", argument: "members", help: "only these members, separated by commas: -R pid,se.vruntime,flags" },
      { flag: "-x", help: "numbers in hexadecimal" },
      { flag: "-d", help: "numbers in decimal" },
    ],
    operands: ["task"],
    examples: [
      ["task 1", "everything of pid 1"],
      ["task -R signal,nsproxy", "two members of the context task"],
      ["foreach UN task -R last_switch_count", "one member of many tasks"],
    ],
    differences: ["Members may be named to any depth: -R se.avg.load_avg."],
  },
  run(session, args) {
    const { kernel } = session;
    const chosen =
      args.operands.length === 0 ? [taskAt(kernel, session.context)] : args.operands.map((operand) => taskOperand(kernel, operand));
    const radix = chosenRadix(args);
    const members = args.value("-R");
    if (members?.replace(/,/g, "").trim() === "") throw new UsageError("-R wants members: -R pid,flags");
    const show =
      members === undefined
        ? dumper(session)
        : memberReader(
            session,
            members
              .split(",")
              .map((name) => name.trim())
              .filter((name) => name !== ""),
          );
    return {
      tasks: lazy(function* () {
        for (const each of chosen) yield { task: brief(each), ...show(each) };
      }),
      ...(radix === undefined ? {} : { radix }),
    };
  },
  api: taskApi,
  *text({ tasks, radix }, layout) {
    let first = true;
    for (const { task: header, structures, members } of tasks) {
      if (!first) yield "";
      first = false;
      yield taskHeader(header);
      for (const [i, { name, object }] of (structures ?? []).entries()) {
        if (i > 0) yield "";
        yield* objectLines(wholeStruct(name), object, radix ?? layout.radix);
      }
      if (members !== undefined)
        yield* objectLines(wholeStruct("task_struct"), { address: header.address, members }, radix ?? layout.radix);
    }
  },
});

const brief = ({ pid, comm, address, cpu }: Task) => ({ pid, comm, address, cpu });

/** What objectLines needs of a structure that is shown whole. */
function wholeStruct(name: string): StructName {
  return { type: { kind: "struct", name, size: 0, members: [] }, name, isTypedef: false, members: [] };
}

function dumper(session: Session): (task: Task) => Omit<TaskDump, "task"> {
  const { kernel } = session;
  const reader = valueReader(session);
  const struct = resolveStruct(kernel, "task_struct", "struct");
  const info = resolveStruct(kernel, "thread_info", "struct");
  return ({ address }) => {
    const at = threadInfo(kernel, address);
    const structures = [{ name: "task_struct", object: readObject(reader, struct, address) }];
    if (at !== undefined) structures.push({ name: "thread_info", object: readObject(reader, info, at) });
    return { structures };
  };
}

/** Each member is looked for in task_struct and in thread_info; one that both have is shown of both. */
function memberReader(session: Session, names: readonly string[]): (task: Task) => Omit<TaskDump, "task"> {
  const { kernel } = session;
  const reader = valueReader(session);
  const places = names.flatMap((name) => memberPlaces(kernel, name));
  return ({ address }) => ({
    members: places.flatMap(({ struct, ofThreadInfo }) => {
      const at: VirtualAddress | undefined = ofThreadInfo ? threadInfo(kernel, address) : address;
      return at === undefined ? [] : (readObject(reader, struct, at).members ?? []);
    }),
  });
}

interface MemberPlace {
  readonly struct: StructName;
  readonly ofThreadInfo: boolean;
}

function memberPlaces(kernel: Kernel, name: string): readonly MemberPlace[] {
  const failures: LookupError[] = [];
  const places = ["task_struct", "thread_info"].flatMap((struct): readonly MemberPlace[] => {
    try {
      return [{ struct: resolveStruct(kernel, `${struct}.${name}`, "struct"), ofThreadInfo: struct === "thread_info" }];
    } catch (error) {
      if (!(error instanceof LookupError)) throw error;
      failures.push(error);
      return [];
    }
  });
  if (places.length === 0) throw new LookupError(`${name}: not a task_struct or thread_info member`, failures[0]?.nearest ?? []);
  return places;
}
