/**
 * The library: what a script imports.
 *
 *   import { openDump } from "inquest";
 *   const kernel = await openDump("vmcore");
 *   console.log(kernel.variable("init_uts_ns").member("name").member("release").string());
 */

import { loadDisassembler, setDisassemblerLoader } from "./arch/disassembler.ts";
import { workerSettings } from "./bytes/worker-pool.ts";

export type { Walk, WalkStep } from "./arch/architecture.ts";
export { add, type PhysicalAddress, physical, type VirtualAddress, virtual } from "./bytes/address.ts";
export {
  CorruptionError,
  FaultError,
  type FaultReason,
  FormatError,
  InquestError,
  LookupError,
  UnsupportedError,
  UsageError,
} from "./bytes/errors.ts";
export type { ParsedArguments } from "./commands/arguments.ts";
export type { BlkDisk, BlkLower, BlkRequest } from "./commands/blk.ts";
export type { CgroupRow } from "./commands/cgroup.ts";
export type { OptionSpec } from "./commands/command.ts";
export type { CpuPlace, CpuRow } from "./commands/cpu.ts";
export type { DisLine, LabelledAddress } from "./commands/dis/lines.ts";
export type { IrqRow } from "./commands/irq.ts";
export type { AreaRow } from "./commands/kmem/vmalloc.ts";
export type { MachineFacts, StackList } from "./commands/mach.ts";
export type { RcuHolder, RcuResult, RcuRow } from "./commands/rcu.ts";
export type { RunqCpu, RunqEntry, RunqGroup, RunqQueue, RunqTask } from "./commands/runq.ts";
export type { ListedObject } from "./commands/slab/objects.ts";
export type { Quantity } from "./commands/support/quantity.ts";
export type { MemberDefinition, StructDefinition } from "./commands/support/struct-definition.ts";
export type { SystemSummary } from "./commands/support/system-summary.ts";
export type { TaskReference } from "./commands/support/task-reference.ts";
export type {
  ArrayNode,
  BooleanNode,
  ElidedNode,
  EnumNode,
  FloatNode,
  FormattedNode,
  FunctionNode,
  IntegerNode,
  MemberNode,
  PointerNode,
  StructNode,
  SymbolLabel,
  TextNode,
  UnreadableNode,
  ValueNode,
  VoidNode,
} from "./commands/support/value-node.ts";
export type { ClockRow, TimerRow, WheelBase } from "./commands/timer.ts";
export type { WaitqWaiter } from "./commands/waitq.ts";
export type { WqDelayed, WqItem, WqPool, WqQueue, WqWorker } from "./commands/wq/result.ts";
export type {
  ArrayType,
  CType,
  Enumerator,
  EnumType,
  FloatType,
  ForwardType,
  FunctionType,
  IntType,
  Member,
  PointerType,
  QualifiedType,
  StructType,
  TypedefType,
  VoidType,
} from "./debug-info/c-type.ts";
export type { SourcePlace } from "./debug-info/debug-info.ts";
export type { KernelSymbol, SymbolAt, SymbolTable } from "./debug-info/symbols.ts";
export type {
  Access,
  Alternative,
  Check,
  Confidence,
  Diagnosis,
  Evidence,
  LockName,
  Participant,
  Sharer,
  Signature,
  Verdict,
  VerdictClass,
  VerdictFrame,
} from "./diagnosis/verdict.ts";
export type { Dump, HeaderFact, Machine, MemoryRange, Note, Utsname, VirtualRange } from "./dump/dump.ts";
export { openDump as openContainer } from "./dump/open.ts";
export type { Memory } from "./kernel/address-space.ts";
export { containerOf, Field } from "./kernel/field.ts";
export { Kernel as Engine } from "./kernel/kernel.ts";
export { fitOf, type KernelIdentity, kernelIdentity } from "./kernel/kernel-identity.ts";
export type { KernelModule, ModuleRegion } from "./kernel/modules.ts";
export { type OpenOptions, openKernel, openKernelOf } from "./kernel/open.ts";
export { Struct, Types } from "./kernel/types.ts";
export { Value as EngineValue } from "./kernel/value.ts";
export { type FindOptions, findVmlinux, type OpenedVmlinux, openVmlinux, type VmlinuxOptions } from "./kernel/vmlinux-file.ts";
export { defineExtension, type Extension } from "./library/extension.ts";
export type { Found } from "./library/found.ts";
export { type Interactive, interactive } from "./library/interactive.ts";
export { Kernel } from "./library/kernel.ts";
export type { KernelSlabs, SlabCacheCount } from "./library/kernel-slabs.ts";
export type { CgroupTree, DeferredWork, HighResolutionTimers, InterruptCounts, KernelViews } from "./library/kernel-views.ts";
export type { ScriptMemory } from "./library/memory.ts";
export { type DebugInfoServer, type LibraryOpenOptions, openDump } from "./library/open-dump.ts";
export { Search, type SearchHit, type SearchOptions } from "./library/search.ts";
export type { Frame, FrameVariable, Stack, StackOptions } from "./library/stack.ts";
export { Task } from "./library/task.ts";
export type { Mapping, Signals } from "./library/task-views.ts";
export { Value } from "./library/value.ts";
export type { Containers, IndexedValue } from "./library/value-containers.ts";
export type { AddressIdentity, AddressRegion, AddressRole, ObjectState } from "./linux/address-identity.ts";
export type { AllocationTrack } from "./linux/allocation-track.ts";
export type { RequestIssuer } from "./linux/block-issuer.ts";
export type { BlockQueue, BlockRequest, RequestState } from "./linux/block-request.ts";
export type { BpfMap, BpfProgram } from "./linux/bpf/objects.ts";
export type { CgroupMemory, CgroupUsage } from "./linux/cgroup-usage.ts";
export type { Disk, Partition } from "./linux/disk.ts";
export type { FileType, OpenFile, ShownPath, SocketOfFile } from "./linux/file.ts";
export type { HardwareQueue } from "./linux/hardware-queue.ts";
export type { IpcNamespace, IpcObject, MessageQueue, SemaphoreSet, SharedMemory } from "./linux/ipc.ts";
export type { ArchitectureCount } from "./linux/irq-counts.ts";
export type {
  ContendedLock,
  LockCertainty,
  LockChain,
  LockCycle,
  LockKind,
  LockOwner,
  LockReport,
  LockState,
  LockTask,
  LockWait,
  LockWaiter,
} from "./linux/locking/lock.ts";
export type { LogRecord } from "./linux/log-record.ts";
export type { PhysicalMap, PhysicalRange } from "./linux/memory-map.ts";
export type { MemoryUsage } from "./linux/memory-usage.ts";
export { type ModuleDebug, type ModuleDebugOptions, moduleDebug } from "./linux/module-debug.ts";
export type { Mount } from "./linux/mount.ts";
export type { DeviceAddress, NetDevice } from "./linux/net/device.ts";
export type { NetNamespace } from "./linux/net/namespace.ts";
export type { Neighbour } from "./linux/net/neighbour.ts";
export type { NetlinkDetails } from "./linux/net/netlink-sock.ts";
export type { PacketBlock, PacketRing, PacketRingRequest } from "./linux/net/packet-ring.ts";
export type { FoundPacket } from "./linux/net/packet-search.ts";
export type { PacketDetails, PacketFanout } from "./linux/net/packet-sock.ts";
export type { PcapngInterface, PcapngPacket } from "./linux/net/pcapng.ts";
export type { Sock, SocketEnd, SocketQueues } from "./linux/net/sock.ts";
export type { SocketEntry, UnreadableSocket } from "./linux/net/sockets.ts";
export type { SocketOwner } from "./linux/net/task-sockets.ts";
export type { RequestDetails, SocketTimer, TcpDetails, TimeWaitDetails } from "./linux/net/tcp.ts";
export type { PacketFrame, PacketTime } from "./linux/net/tpacket-frame.ts";
export type { UnixDetails } from "./linux/net/unix-sock.ts";
export type { VsockDetails, VsockEnd } from "./linux/net/vsock.ts";
export { panicTask } from "./linux/panic-task.ts";
export type { PendingCall } from "./linux/pending-ipis.ts";
export type { PreemptCount } from "./linux/preempt-count.ts";
export { readLog } from "./linux/printk.ts";
export type { RcuCpu } from "./linux/rcu.ts";
export type { PendingSignals, SignalAction, TaskSignals } from "./linux/signal.ts";
export type { SlabObject } from "./linux/slab.ts";
export type { ObjectTracks } from "./linux/slab-owners.ts";
export type { SrcuDomain } from "./linux/srcu.ts";
export type { StackAddresses } from "./linux/stack-depot.ts";
export type { SwapArea } from "./linux/swap.ts";
export { type Task as EngineTask, taskTable } from "./linux/task.ts";
export type { TraceCpu, TraceInstance } from "./linux/trace/trace-buffer.ts";
export type { TraceEvent } from "./linux/trace/trace-log.ts";
export type { TraceValue } from "./linux/trace/trace-record.ts";
export type { Watermarks, Zone } from "./linux/zone.ts";
export type { Certainty, FoundBy, FrameKind, StackKind } from "./stack/frame.ts";
export type { VariableState } from "./stack/frame-variables.ts";
export { unwindTask } from "./stack/unwind.ts";

// Compiled, the library has a script for other threads beside itself.
if (/\.m?js$/.test(import.meta.url)) workerSettings.script ??= new URL("./faces/index-worker.js", import.meta.url);

// The decoders are large: they are loaded when something is disassembled first.
for (const machine of ["x86_64", "aarch64"] as const)
  setDisassemblerLoader(machine, async () => {
    const { registerDisassemblers } = await import("./faces/cli/disassemblers.ts");
    registerDisassemblers();
    return loadDisassembler(machine);
  });
