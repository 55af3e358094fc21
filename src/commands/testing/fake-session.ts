/** A session over a kernel that knows only a few symbols and types: enough for the framework's own tests. */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { CType, TypeKey } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, type TaskTable, taskTable } from "../../linux/task.ts";
import type { Command, Session } from "../command.ts";
import { createRegistry } from "../registry.ts";
import { createSession, type SessionOptions } from "../session.ts";

export interface FakeSessionParts extends Omit<SessionOptions, "registry"> {
  readonly commands?: readonly Command[];
  /** Name → address and letter. */
  readonly symbols?: Readonly<Record<string, readonly [address: bigint, type: string]>>;
  readonly tasks?: readonly Partial<Task>[];
  readonly types?: readonly (readonly [key: TypeKey, name: string, type: CType])[];
}

const NOBODY: Task = {
  address: virtual(0n),
  pid: 0,
  tgid: 0,
  comm: "",
  cpu: 0,
  flags: 0,
  state: 0,
  exitState: 0,
  mm: virtual(1n),
  parent: virtual(0n),
  groupLeader: virtual(0n),
  signal: virtual(0n),
  active: false,
  idle: false,
};

/** A command that returns its operands and options as text lines. */
export function echoCommand(name: string, extra: Partial<Command["spec"]> = {}): Command {
  return {
    spec: { name, summary: `${name} summary`, synopsis: [""], description: [""], options: [], minimal: true, ...extra },
    run: (_session, args) => ({ operands: args.operands, line: args.line }),
    text: (result) => [`${name}: ${(result as { line: string }).line}`],
  };
}

export function fakeSession(parts: FakeSessionParts = {}): Session {
  const { commands = [], symbols = {}, types = [], tasks = [], ...options } = parts;
  const whole = tasks.map((task) => ({ ...NOBODY, ...task }));
  const table: TaskTable = {
    tasks: whole,
    byAddress: new Map(whole.map((task) => [task.address, task])),
    byPid: new Map(whole.map((task) => [task.pid, task])),
    notes: [],
  };
  const find = (key: TypeKey, name: string) => types.find(([k, n]) => k === key && n === name)?.[2];
  const struct = (name: string) => {
    const type = find("struct", name) ?? find("union", name);
    return type === undefined ? undefined : { type };
  };
  const kernel = {
    physical: { zeroExcluded: false },
    dump: { files: ["vmcore"], format: "fake", machine: "x86_64", facts: [], notes: [], warnings: [] },
    notes: [],
    modules: [],
    forget: () => {},
    memo: (key: object, compute: () => unknown) => (key === taskTable ? table : compute()),
    arch: {
      name: "x86_64",
      pageShift: 12,
      facts: [],
      toLinear: (address: bigint) => virtual(address + 0xffff888000000000n),
      isKernelAddress: (address: bigint) => address >= 1n << 63n,
    },
    perCpuOffsets: [virtual(0x1000n), virtual(0x2000n)],
    perCpuAddress: (address: VirtualAddress, cpu: number) => virtual(address + BigInt(cpu + 1) * 0x1000n),
    symbols: {
      byName(name: string) {
        const found = Object.hasOwn(symbols, name) ? symbols[name] : undefined;
        return found === undefined ? undefined : { name, address: virtual(found[0]), type: found[1], module: undefined, size: 8 };
      },
      prefix: (prefix: string, limit: number) =>
        Object.keys(symbols)
          .filter((name) => name.startsWith(prefix))
          .sort()
          .slice(0, limit),
    },
    nearestSymbols: () => [],
    address(name: string) {
      return this.symbols.byName(name)?.address;
    },
    variableType: (name: string) => find("variable", name),
    types: {
      present: types.length > 0,
      find,
      tryStruct: struct,
      constant: () => undefined,
      sources: [
        {
          names: (key: TypeKey, prefix: string, limit: number) =>
            types
              .filter(([k, name]) => k === key && name.startsWith(prefix))
              .map(([, name]) => name)
              .slice(0, limit),
        },
      ],
    },
  };
  return createSession(kernel as unknown as Kernel, { ...options, registry: createRegistry(commands) });
}
