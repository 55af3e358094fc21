/**
 * The dead kernel as scripts see it: everything by name, values typed, errors of one family.
 *
 *   const kernel = await openDump("vmcore");
 *   kernel.variable("init_uts_ns").get("name.release").string()
 *   for (const task of kernel.tasks()) if (task.state === "UN") console.log(task.pid, task.comm, kernel.stack(task).frames);
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Session } from "../commands/command.ts";
import { runLine } from "../commands/run-line.ts";
import { createSession } from "../commands/session.ts";
import type { CType } from "../debug-info/c-type.ts";
import type { KernelSymbol, SymbolAt } from "../debug-info/symbols.ts";
import type { Memory } from "../kernel/address-space.ts";
import { evaluateExpression } from "../kernel/expression/evaluate.ts";
import { kernelScope } from "../kernel/expression/scope.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import type { KernelModule } from "../kernel/modules.ts";
import { Value as EngineValue } from "../kernel/value.ts";
import type { LogRecord } from "../linux/log-record.ts";
import { type PanicTask, panicTask } from "../linux/panic-task.ts";
import { readLog } from "../linux/printk.ts";
import { type Task, taskAt, tasksWithPid, taskTable } from "../linux/task.ts";
import type { UnwoundStack } from "../stack/frame.ts";
import { unwindTask } from "../stack/unwind.ts";
import { type Interactive, interactiveRoot } from "./interactive.ts";
import { Value } from "./value.ts";

export class Kernel {
  /** The engine below, for what the library does not wrap. */
  readonly engine: Engine;
  #session: Session | undefined;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Release as `uname -r` prints it; undefined when the dump does not say. */
  get release(): string | undefined {
    return this.engine.vmcoreinfo?.get("OSRELEASE") ?? this.variable("init_uts_ns").get("name.release").string();
  }

  /** What a user should know of this dump, one line each. */
  get notes(): readonly string[] {
    return this.engine.notes;
  }

  /** Kernel virtual memory: u8 … u64, bytes, cString; a FaultError says why an address cannot be read. */
  get memory(): Memory {
    return this.engine.memory;
  }

  /** Variables by name with plain property access: `kernel.$.init_task.comm`. */
  get $(): Interactive {
    return interactiveRoot(this);
  }

  /** A symbol by name. Throws LookupError with the nearest names. */
  symbol(name: string): KernelSymbol {
    const found = this.engine.symbols.byName(name);
    if (found === undefined) throw this.engine.unknownSymbol(name);
    return found;
  }

  /** The symbol at or before an address; undefined where there is none. */
  symbolAt(address: bigint): SymbolAt | undefined {
    return this.engine.symbols.byAddress(virtual(address));
  }

  /** A type by C's spelling: "struct task_struct", "unsigned long [4]". Throws LookupError. */
  type(spelling: string): CType {
    return this.engine.types.type(spelling);
  }

  /** A global variable. Throws LookupError when the symbol or its type is not known (cast it with object()). */
  variable(name: string): Value {
    return this.#value(this.engine.variable(name));
  }

  /** One CPU's copy of a per-CPU variable. Throws LookupError. */
  perCpu(name: string, cpu: number): Value {
    return this.#value(this.engine.perCpu(name, cpu));
  }

  /** CPUs that have per-CPU areas. */
  get cpus(): readonly number[] {
    return this.engine.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [cpu]));
  }

  /** Value of an enum constant. Throws LookupError. */
  constant(name: string): bigint {
    const value = this.engine.types.constant(name);
    if (value === undefined) throw new LookupError(`no enum constant named "${name}" in this dump`);
    return value;
  }

  /** What lies at an address, as this type. Nothing is read yet. */
  object(type: string | CType, address: bigint): Value {
    return this.#value(new EngineValue(this.engine.memory, typeof type === "string" ? this.type(type) : type, virtual(address)));
  }

  /** Value of a C expression: "init_task.comm", "((struct page *)0xffff…)->flags & 3". Throws UsageError, LookupError, FaultError. */
  expression(text: string): Value {
    return this.#value(evaluateExpression(text, kernelScope(this.engine)));
  }

  /** All tasks, idle ones first, then by pid. */
  tasks(): readonly Task[] {
    return taskTable(this.engine).tasks;
  }

  /** A task by pid or by the address of its task_struct. Throws LookupError. */
  task(which: number | bigint): Task {
    if (typeof which === "bigint") return taskAt(this.engine, virtual(which));
    const [found] = tasksWithPid(this.engine, which);
    if (found === undefined) throw new LookupError(`no task has pid ${which}`);
    return found;
  }

  /** A task's task_struct as a value. */
  taskStruct(task: Task | bigint): Value {
    return this.object("struct task_struct", typeof task === "bigint" ? task : task.address);
  }

  /** The task that panicked, and how that is known; undefined when none did. */
  get panicTask(): PanicTask | undefined {
    return panicTask(this.engine);
  }

  /** A task's kernel stack. */
  stack(task: Task | number | bigint): UnwoundStack {
    const address: VirtualAddress = typeof task === "object" ? task.address : this.task(task).address;
    return unwindTask(this.engine, address);
  }

  /** Loaded modules, newest first. */
  get modules(): readonly KernelModule[] {
    return this.engine.modules;
  }

  /** The kernel log, oldest record first. */
  log(): readonly LogRecord[] {
    return readLog(this.engine).records;
  }

  /** Runs a command line and gives its result as data (the `result` of --json; lazy sequences are not drained). */
  run(line: string): unknown {
    this.#session ??= createSession(this.engine);
    return runLine(this.#session, line).result;
  }

  #value(inner: EngineValue): Value {
    return new Value(this.engine, inner);
  }
}
