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
export type { OptionSpec } from "./commands/command.ts";
export type { DisLine, LabelledAddress } from "./commands/dis.ts";
export type { MachineFacts, StackList } from "./commands/mach.ts";
export type { MemberDefinition, StructDefinition } from "./commands/support/struct-definition.ts";
export type { SystemSummary } from "./commands/support/system-summary.ts";
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
export { type Interactive, interactive } from "./library/interactive.ts";
export { Kernel } from "./library/kernel.ts";
export type { ScriptMemory } from "./library/memory.ts";
export { type DebugInfoServer, type LibraryOpenOptions, openDump } from "./library/open-dump.ts";
export { Search, type SearchHit, type SearchOptions } from "./library/search.ts";
export type { Frame, FrameVariable, Stack, StackOptions } from "./library/stack.ts";
export { Task } from "./library/task.ts";
export { type IndexedValue, Value } from "./library/value.ts";
export type { ObjectState } from "./linux/address-identity.ts";
export type { AllocationTrack } from "./linux/allocation-track.ts";
export type { LogRecord } from "./linux/log-record.ts";
export type { PhysicalMap, PhysicalRange } from "./linux/memory-map.ts";
export { type ModuleDebug, type ModuleDebugOptions, moduleDebug } from "./linux/module-debug.ts";
export { panicTask } from "./linux/panic-task.ts";
export { readLog } from "./linux/printk.ts";
export type { SlabObject } from "./linux/slab.ts";
export type { ObjectTracks } from "./linux/slab-owners.ts";
export { type Task as EngineTask, taskTable } from "./linux/task.ts";
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
