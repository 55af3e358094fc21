/**
 * The dead kernel as scripts see it: everything by name, values typed, errors of one family.
 *
 *   const kernel = await openDump("vmcore");
 *   kernel.variable("init_uts_ns").get("name.release").string()
 *   for (const task of kernel.tasks()) if (task.state === "UN") console.log(task.pid, task.comm, task.stack().frames.length);
 */
import type { Walk } from "../arch/architecture.ts";
import { loadDisassembler } from "../arch/disassembler.ts";
import { hex16, physical, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Session } from "../commands/command.ts";
import type { DisLine } from "../commands/dis/lines.ts";
import type { DisResult } from "../commands/dis.ts";
import { type MachineFacts, machineFacts } from "../commands/mach.ts";
import { runLine } from "../commands/run-line.ts";
import { createSession } from "../commands/session.ts";
import { physicalSpace } from "../commands/support/spaces.ts";
import { type StructDefinition, structDefinition } from "../commands/support/struct-definition.ts";
import { resolveStruct } from "../commands/support/struct-name.ts";
import { type SystemSummary, systemSummary } from "../commands/support/system-summary.ts";
import type { CType } from "../debug-info/c-type.ts";
import type { SourcePlace } from "../debug-info/debug-info.ts";
import type { KernelSymbol, SymbolAt } from "../debug-info/symbols.ts";
import { evaluateExpression } from "../kernel/expression/evaluate.ts";
import { kernelScope } from "../kernel/expression/scope.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import type { KernelModule } from "../kernel/modules.ts";
import { Value as EngineValue } from "../kernel/value.ts";
import type { LogRecord } from "../linux/log-record.ts";
import { type PhysicalMap, physicalMap } from "../linux/memory-map.ts";
import { panicTask } from "../linux/panic-task.ts";
import { readLog } from "../linux/printk.ts";
import { taintLetters } from "../linux/taint.ts";
import { readTask, taskAt, tasksWithPid, taskTable } from "../linux/task.ts";
import { type Interactive, interactiveRoot } from "./interactive.ts";
import { KernelSlabs } from "./kernel-slabs.ts";
import type { ScriptMemory } from "./memory.ts";
import { Search, type SearchOptions } from "./search.ts";
import type { Stack, StackOptions } from "./stack.ts";
import { Task } from "./task.ts";
import { Value } from "./value.ts";

/** The kernel in a dump: `openDump()` gives one. */
export class Kernel extends KernelSlabs {
  /** The engine below, for what the library does not wrap. */
  readonly engine: Engine;
  #session: Session | undefined;

  /** Scripts get it from openDump(). */
  constructor(engine: Engine) {
    super();
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

  /** What `sys` says: release, machine, CPUs, uptime, load, number of tasks, memory, and why the kernel stopped. */
  get system(): SystemSummary {
    return systemSummary(this.#prompt());
  }

  /** What `mach` says: page size, tick rate, where the kernel's areas of virtual memory begin, the CPUs' stacks. */
  get machine(): MachineFacts {
    return machineFacts(this.engine);
  }

  /** The machine's physical memory map (e820, memblock or the resource tree). Throws LookupError when none can be read. */
  get memoryMap(): PhysicalMap {
    const map = physicalMap(this.engine);
    if (map === undefined) throw new LookupError("neither e820_table, memblock nor iomem_resource can be read in this dump");
    return map;
  }

  /** Kernel virtual memory: u8 … u64, bytes, cString; a FaultError says why an address cannot be read. */
  get memory(): ScriptMemory {
    return this.engine.memory;
  }

  /** The same by physical addresses. */
  get physical(): ScriptMemory {
    return physicalSpace(this.engine);
  }

  /** Variables by name with plain property access: `kernel.$.init_task.comm`. */
  get $(): Interactive {
    return interactiveRoot(this);
  }

  /** A symbol by name, or the one that an address lies in. Throws LookupError with the nearest names. */
  symbol(which: string | bigint): KernelSymbol {
    const found = typeof which === "string" ? this.engine.symbols.byName(which) : this.symbolAt(which)?.symbol;
    if (found !== undefined) return found;
    throw typeof which === "string" ? this.engine.unknownSymbol(which) : new LookupError(`${hex16(virtual(which))} lies in no symbol`);
  }

  /** Symbols whose names contain the text, in the order of their addresses. */
  symbols(text: string): readonly KernelSymbol[] {
    return [...this.engine.symbols.matching(text)];
  }

  /** The symbol at or before an address, with the distance in bytes; undefined where there is none. */
  symbolAt(address: bigint): SymbolAt | undefined {
    return this.engine.symbols.byAddress(virtual(address));
  }

  /** An address as "schedule+0x45 [module]"; undefined where there is no symbol. */
  symbolize(address: bigint): string | undefined {
    return this.engine.symbolize(virtual(address));
  }

  /** Source line of an address in code; undefined without debug information. */
  line(address: bigint): SourcePlace | undefined {
    return this.engine.debugInfo.present ? this.engine.debugInfo.line(virtual(address)) : undefined;
  }

  /** A type by C's spelling: "struct task_struct", "unsigned long [4]". Throws LookupError. */
  type(spelling: string): CType {
    return this.engine.types.type(spelling);
  }

  /** A structure with its members' types, offsets and sizes, and its text in C; with members only these: "task_struct.pid,comm". */
  definition(structure: string): StructDefinition {
    const name = resolveStruct(
      this.engine,
      structure.replace(/^(struct|union)\s+/, ""),
      /^(struct|union)\b/.exec(structure)?.[1] as "struct",
    );
    return structDefinition(name, { offsets: false, radix: 10 });
  }

  /** A global variable. Throws LookupError when the symbol or its type is not known (cast it with object()). */
  variable(name: string): Value {
    return this.#value(this.engine.variable(name));
  }

  /** One CPU's copy of a per-CPU variable. Throws LookupError. */
  perCpu(name: string, cpu: number): Value {
    return this.#value(this.engine.perCpu(name, cpu));
  }

  /** Where one CPU has its copy of what lies at an offset into the per-CPU areas (a per-CPU symbol's address). Throws LookupError. */
  perCpuAddress(offset: bigint, cpu: number): bigint {
    return this.engine.perCpuAddress(virtual(offset), cpu);
  }

  /** Address by which the linear mapping reaches a physical one; undefined when it was not found where that mapping begins. */
  linearAddress(address: bigint): bigint | undefined {
    return this.engine.arch.toLinear(physical(address));
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
    return taskTable(this.engine).tasks.map((each) => new Task(this, each));
  }

  /** A task by pid (a number) or by the address of its task_struct (a bigint). Throws LookupError. */
  task(which: number | bigint): Task {
    if (typeof which === "bigint") return new Task(this, taskAt(this.engine, virtual(which)));
    const [found] = tasksWithPid(this.engine, which);
    if (found === undefined) throw new LookupError(`no task has pid ${which}`);
    return new Task(this, found);
  }

  /** A task's task_struct as a value. */
  taskStruct(task: Task | bigint): Value {
    return this.object("struct task_struct", typeof task === "bigint" ? task : task.address);
  }

  /** The task that panicked or, when none did, one that was running; undefined when the dump has neither. */
  get panicTask(): Task | undefined {
    const found = panicTask(this.engine);
    return found === undefined ? undefined : new Task(this, found.task);
  }

  /** A task's kernel stack: of a task, a pid, or the address of a task_struct, also of one that is on no list. Throws LookupError, FaultError. */
  stack(task: Task | number | bigint, options: StackOptions = {}): Stack {
    if (task instanceof Task) return task.stack(options);
    if (typeof task === "number" || taskTable(this.engine).byAddress.has(task)) return this.task(task).stack(options);
    return new Task(this, readTask(this.engine, virtual(task))).stack(options);
  }

  /** Loaded modules, newest first. */
  get modules(): readonly KernelModule[] {
    return this.engine.modules;
  }

  /** Letters of a taint mask (of a module, or `tainted_mask`): "OE". */
  taintLetters(mask: bigint): string {
    return taintLetters(mask);
  }

  /** The kernel log, oldest record first. Throws LookupError when the dump has none. */
  log(): readonly LogRecord[] {
    return readLog(this.engine).records;
  }

  /**
   * Looks through memory for a number (8 bytes unless told), bytes or text. Hits come as they are found; what could not be read is in
   * `unread` afterwards. Throws UsageError for what cannot be searched.
   */
  search(pattern: bigint | number | string | Uint8Array, options: SearchOptions = {}): Search {
    return new Search(this.engine, pattern, options);
  }

  /** The walk through the kernel's page tables for an address: its steps, and what they lead to. */
  pageWalk(address: bigint): Walk {
    return this.engine.arch.kernelTables.walk(this.engine.arch.stripPointer(address));
  }

  /** Loads the machine's decoder, which run() needs for `dis` and `x/i`. */
  async loadDisassembler(): Promise<void> {
    await loadDisassembler(this.engine.arch.name);
  }

  /**
   * Instructions: of a whole function (a name), or `count` from a place on. The decoder is loaded on the first call.
   * @param where "vfs_read", "vfs_read+0x33", or an address
   */
  async disassemble(where: string | bigint, count?: number): Promise<readonly DisLine[]> {
    await this.loadDisassembler();
    const place = typeof where === "bigint" ? where.toString(16) : where;
    return [...(this.run(`dis ${place}${count === undefined ? "" : ` ${count}`}`) as DisResult).lines];
  }

  /**
   * Runs a command line and gives its result as data (the `result` of --json; lazy sequences are not drained). The lines of one Kernel
   * share their session: `set` holds for those that follow. `dis` and `x/i` want loadDisassembler() before.
   */
  run(line: string): unknown {
    return runLine(this.#prompt(), line).result;
  }

  /** Closes the dump's files. Nothing can be read afterwards. */
  close(): void {
    this.engine.dump.close();
  }

  /** What stands for the kernel where a script returns it: release, machine, number of tasks, notes. */
  toJSON(): object {
    return { release: this.release, machine: this.engine.arch.name, tasks: taskTable(this.engine).tasks.length, notes: this.notes };
  }

  #prompt(): Session {
    this.#session ??= createSession(this.engine);
    return this.#session;
  }

  #value(inner: EngineValue): Value {
    return new Value(this.engine, inner);
  }
}
