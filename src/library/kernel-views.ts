/**
 * The questions about a dead kernel that are not about one value or one task: who waits for which lock, what is mounted, which sockets are
 * open, what the disks were doing. Kernel inherits them.
 *
 *   for (const { device, directory } of kernel.mounts()) console.log(device, directory);
 *   kernel.sockets().filter((each) => "sock" in each && each.sock.local?.port === 80)
 *
 * Lists come with `notes` (see Found); a call throws LookupError or UnsupportedError when the kernel has no such thing at all, or its dump
 * does not say where it is.
 */
import { LookupError, UnsupportedError } from "../bytes/errors.ts";
import type { BlkDisk, BlkResult } from "../commands/blk.ts";
import type { CgroupResult, CgroupRow } from "../commands/cgroup.ts";
import type { CpuResult, CpuRow } from "../commands/cpu.ts";
import type { IrqResult, IrqRow } from "../commands/irq.ts";
import { type AreaRow, areaRow } from "../commands/kmem/vmalloc.ts";
import type { RcuResult } from "../commands/rcu.ts";
import type { RunqCpu, RunqResult } from "../commands/runq.ts";
import { lazy } from "../commands/support/lazy.ts";
import type { ClockRow, TimerResult, WheelBase } from "../commands/timer.ts";
import type { WaitqResult, WaitqWaiter } from "../commands/waitq.ts";
import type { WqDelayed, WqPool, WqQueue } from "../commands/wq/result.ts";
import type { WqResult } from "../commands/wq.ts";
import { diagnose } from "../diagnosis/diagnose.ts";
import type { Diagnosis } from "../diagnosis/verdict.ts";
import { identifyAddress } from "../identity/identify.ts";
import { stackReader } from "../identity/stack-reader.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import type { AddressIdentity } from "../linux/address-identity.ts";
import { type BpfMap, type BpfProgram, bpfMaps, bpfPrograms } from "../linux/bpf/objects.ts";
import { type IpcNamespace, ipcNamespace, readIpc } from "../linux/ipc.ts";
import type { ArchitectureCount } from "../linux/irq-counts.ts";
import type { LockReport } from "../linux/locking/lock.ts";
import { lockingNotes, lockReport } from "../linux/locking/lock-report.ts";
import { type MemoryUsage, memoryUsage } from "../linux/memory-usage.ts";
import { type Mount, mountTable } from "../linux/mount.ts";
import { type NetDevice, netDevices } from "../linux/net/device.ts";
import { initialNamespace, type NetNamespace, netNamespaces, taskNamespace } from "../linux/net/namespace.ts";
import { type Neighbour, neighbours } from "../linux/net/neighbour.ts";
import { type FoundPacket, findPackets } from "../linux/net/packet-search.ts";
import { allSockets, type SocketEntry, type UnreadableSocket } from "../linux/net/sockets.ts";
import { type SwapArea, swapAreas } from "../linux/swap.ts";
import { tasksWithPid } from "../linux/task.ts";
import type { TraceInstance } from "../linux/trace/trace-buffer.ts";
import { noTraceBuffers, type TraceEvent, TraceLog } from "../linux/trace/trace-log.ts";
import { vmallocAreas } from "../linux/vmalloc.ts";
import { memoryNodes, type Zone } from "../linux/zone.ts";
import { type Found, found } from "./found.ts";
import type { Task } from "./task.ts";

/** The high-resolution timers of a CPU. */
export interface HighResolutionTimers {
  readonly cpu: number;
  /** Its hrtimer_cpu_base. */
  readonly address: bigint;
  readonly clocks: readonly ClockRow[];
}

/** How often each interrupt came, as /proc/interrupts shows it. */
export interface InterruptCounts {
  /** The CPUs that `counts` are of, in their order. */
  readonly cpus: readonly number[];
  readonly irqs: readonly IrqRow[];
  /** The machine's own: local timers, function calls, NMIs … */
  readonly architecture: readonly ArchitectureCount[];
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/** Deferred work: who does it, what waits, what is delayed. */
export interface DeferredWork {
  readonly pools: readonly WqPool[];
  readonly queues: readonly WqQueue[];
  readonly delayed: readonly WqDelayed[];
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/** A hierarchy of control groups: the unified one, or one of version 1. */
export interface CgroupTree {
  /** Its cgroup_root. */
  readonly address: bigint;
  readonly version: 1 | 2;
  readonly id: number;
  readonly name: string;
  readonly controllers: readonly string[];
  /** Parents before children; read as they are pulled. */
  readonly groups: Iterable<CgroupRow>;
}

/** Calls that Kernel inherits. */
export abstract class KernelViews {
  /** The engine below, for what the library does not wrap. */
  abstract readonly engine: Engine;
  /** Runs a command line and gives its result as data. */
  abstract run(line: string): unknown;

  /** What an address is: region, symbol, slab object, stack, page …, the most telling first. @param task whose user memory may be meant */
  identify(address: bigint, task?: Task): AddressIdentity {
    return identifyAddress(this.engine, address, task === undefined ? {} : { task: task.address });
  }

  /**
   * What killed the kernel, or stopped it: verdict, story, evidence, signature, as `analyze` shows them. `await kernel.loadDisassembler()`
   * first.
   */
  diagnose(): Diagnosis {
    return diagnose(this.engine);
  }

  /** Which tasks wait for which locks, who holds them, chains and circles. Every task's stack is unwound: seconds on a large dump. */
  locks(): LockReport {
    const report = lockReport(this.engine, stackReader(this.engine));
    return { ...report, notes: [...lockingNotes(this.engine), ...report.notes] };
  }

  /** Who sleeps on a wait queue. @param queue a symbol ("log_wait"), or the address of a wait_queue_head */
  waiters(queue: string | bigint): Found<WaitqWaiter> {
    const { waiters, notes } = this.run(`waitq ${typeof queue === "string" ? queue : queue.toString(16)}`) as WaitqResult;
    return found(waiters, notes);
  }

  /** Mounts of a task's namespace (of pid 1 unless told), in the order of /proc/mounts. */
  mounts(task?: Task): Found<Mount> {
    const address = task?.address ?? tasksWithPid(this.engine, 1)[0]?.address;
    if (address === undefined) throw new LookupError("no task has pid 1: say whose mounts");
    const { mounts, notes } = mountTable(this.engine, address);
    return found(mounts, notes);
  }

  /** Every socket of every network namespace, with what its protocol knows of it and the tasks that hold it. */
  sockets(): Found<SocketEntry | UnreadableSocket> {
    const notes: string[] = [];
    return found(allSockets(this.engine, notes), notes);
  }

  /** Network namespaces, the initial one first. */
  netNamespaces(): Found<NetNamespace> {
    const notes: string[] = [];
    return found(netNamespaces(this.engine, notes), notes);
  }

  /** Network devices with their addresses: of a task's namespace, of the initial one unless told. */
  netDevices(task?: Task): Found<NetDevice> {
    const notes: string[] = [];
    const namespace = task === undefined ? initialNamespace(this.engine) : taskNamespace(this.engine, task.address);
    if (namespace === undefined) throw new UnsupportedError(`${task} has exited: it has no network namespace`);
    return found(netDevices(this.engine, namespace, notes), notes);
  }

  /** The tables of ARP and NDP. */
  neighbours(): Found<Neighbour> {
    if (this.engine.types.lack !== undefined) throw this.engine.types.lack;
    const notes: string[] = [];
    return found(neighbours(this.engine, notes), notes);
  }

  /** Every packet in memory, in socket queues, rings and queueing disciplines; found as they are pulled. @param notes gets what is damaged */
  packets(notes: string[] = []): Iterable<FoundPacket> {
    return lazy(() => findPackets(this.engine, notes));
  }

  /** Each CPU's run queue: the running task, those that wait by class and group. */
  runQueues(): readonly RunqCpu[] {
    return (this.run("runq") as RunqResult).cpus;
  }

  /** What each CPU was doing: task, how long, interrupts, pending calls from others. */
  cpuStates(): Found<CpuRow> {
    const { cpus, notes } = this.run("cpu") as CpuResult;
    return found(cpus, notes);
  }

  /** The timer wheel's bases of every CPU with their timers, times in jiffies. */
  timers(): Found<WheelBase> {
    const { bases, notes } = this.run("timer") as TimerResult;
    return found(bases ?? [], notes);
  }

  /** The high-resolution timers of every CPU, by clock; times in nanoseconds. */
  highResolutionTimers(): Found<HighResolutionTimers> {
    const { hrtimers, notes } = this.run("timer -r") as TimerResult;
    return found(hrtimers ?? [], notes);
  }

  /** Interrupt lines that the kernel has descriptors for: chip, handlers, which CPUs. */
  interruptLines(): Found<IrqRow> {
    const { irqs, notes } = this.run("irq -u") as IrqResult;
    return found(irqs ?? [], notes);
  }

  /** How often each interrupt came on each CPU. */
  interrupts(): InterruptCounts {
    const { cpus = [], irqs = [], architecture = [], notes = [] } = this.run("irq -s") as IrqResult;
    return { cpus, irqs, architecture, notes };
  }

  /** Worker pools with what they run and what waits, workqueues, and work that is delayed. */
  workQueues(): DeferredWork {
    const { pools, queues, delayed, notes = [] } = this.run("wq") as WqResult;
    return { pools, queues, delayed, notes };
  }

  /** RCU's grace periods and who holds them up, all static SRCU domains, and tasks that wait for a grace period. */
  rcu(): RcuResult {
    return this.run("rcu -a") as RcuResult;
  }

  /** Disks with their queues, the requests on the way and who sent them, and what each disk stands on. */
  disks(): Found<BlkDisk> {
    const { disks, notes } = this.run("blk") as BlkResult;
    return found(disks, notes);
  }

  /** Memory in use, counted as /proc/meminfo counts; in pages. */
  memoryUsage(): MemoryUsage {
    return memoryUsage(this.engine);
  }

  /** Memory zones of all nodes: sizes and watermarks in pages. */
  zones(): Found<Zone> {
    const { nodes, notes } = memoryNodes(this.engine);
    return found(
      nodes.flatMap(({ zones }) => zones),
      notes,
    );
  }

  /** Ranges of the vmalloc space and who asked for them; behind those in use the ones given back and not yet flushed (`unpurged`). */
  vmallocAreas(): Found<AreaRow> {
    const { busy, unpurged, notes } = vmallocAreas(this.engine);
    return found(
      [...busy, ...unpurged].map((area) => areaRow(this.engine, area)),
      notes,
    );
  }

  /** Swap areas in use, sizes in pages. */
  swapAreas(): Found<SwapArea> {
    const { areas, notes } = swapAreas(this.engine);
    return found(areas, notes);
  }

  /** Control groups with their tasks and what they use. */
  cgroups(): Found<CgroupTree> {
    const { hierarchies, notes } = this.run("cgroup -a") as CgroupResult;
    return found(hierarchies, notes);
  }

  /** Instances of the tracer; the global one has no name. */
  traceInstances(): Found<TraceInstance> {
    const notes: string[] = [];
    return found(this.#traces(notes).instances, notes);
  }

  /** Events in a trace buffer, oldest first, read as they are pulled. @param instance the global one unless told @param notes gets what is damaged */
  trace(instance = "", notes: string[] = []): Iterable<TraceEvent> {
    const { log, instances } = this.#traces(notes);
    const chosen = instances.find(({ name }) => name === instance);
    if (chosen === undefined) throw new LookupError(`the tracer has no instance "${instance}"`);
    return lazy(() => log.events(chosen));
  }

  /** Loaded BPF programs by ascending id. */
  bpfPrograms(): Found<BpfProgram> {
    const notes: string[] = [];
    return found(bpfPrograms(this.engine, notes), notes);
  }

  /** BPF maps by ascending id. */
  bpfMaps(): Found<BpfMap> {
    const notes: string[] = [];
    return found(bpfMaps(this.engine, notes), notes);
  }

  /** System V shared memory, semaphores and message queues: of a task's namespace, of the first one unless told. */
  ipc(task?: Task): IpcNamespace & { readonly notes: readonly string[] } {
    const notes: string[] = [];
    return { ...readIpc(this.engine, ipcNamespace(this.engine, task?.address), notes), notes };
  }

  #traces(notes: string[]): { readonly log: TraceLog; readonly instances: readonly TraceInstance[] } {
    const note = (text: string) => {
      if (!notes.includes(text)) notes.push(text);
    };
    const log = TraceLog.of(this.engine, note);
    const instances = log?.instances() ?? [];
    if (log === undefined || instances.length === 0) throw noTraceBuffers(this.engine, notes);
    return { log, instances };
  }
}
