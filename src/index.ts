/**
 * The library: what a script imports.
 *
 *   import { openDump } from "inquest";
 *   const kernel = await openDump("vmcore");
 *   console.log(kernel.variable("init_uts_ns").member("name").member("release").string());
 */

import type { CapstoneModule } from "./arch/arm64-disassembler.ts";
import { setDisassemblerLoader } from "./arch/disassembler.ts";
import type { IcedModule } from "./arch/x86-64-disassembler.ts";
import { workerSettings } from "./bytes/worker-pool.ts";

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
export type { CType, EnumType, Member, StructType } from "./debug-info/c-type.ts";
export type { KernelSymbol, SymbolAt, SymbolTable } from "./debug-info/symbols.ts";
export type { Dump, MemoryRange, Note } from "./dump/dump.ts";
export { openDump as openContainer } from "./dump/open.ts";
export type { Memory } from "./kernel/address-space.ts";
export { containerOf, Field } from "./kernel/field.ts";
export { Kernel as Engine } from "./kernel/kernel.ts";
export { fitOf, type KernelIdentity, kernelIdentity } from "./kernel/kernel-identity.ts";
export type { KernelModule } from "./kernel/modules.ts";
export { type OpenOptions, openKernel, openKernelOf } from "./kernel/open.ts";
export { Struct, Types } from "./kernel/types.ts";
export { Value as EngineValue } from "./kernel/value.ts";
export { type FindOptions, findVmlinux, type OpenedVmlinux, openVmlinux, type VmlinuxOptions } from "./kernel/vmlinux-file.ts";
export { type Interactive, interactive } from "./library/interactive.ts";
export { Kernel } from "./library/kernel.ts";
export type { ScriptMemory } from "./library/memory.ts";
export { type DebugInfoServer, type LibraryOpenOptions, openDump } from "./library/open-dump.ts";
export { Search, type SearchHit, type SearchOptions } from "./library/search.ts";
export type { Frame, FrameVariable, Stack } from "./library/stack.ts";
export { Task } from "./library/task.ts";
export { type IndexedValue, Value } from "./library/value.ts";
export type { LogRecord } from "./linux/log-record.ts";
export { type ModuleDebug, type ModuleDebugOptions, moduleDebug } from "./linux/module-debug.ts";
export { panicTask } from "./linux/panic-task.ts";
export { readLog } from "./linux/printk.ts";
export { type Task as EngineTask, taskTable } from "./linux/task.ts";
export { unwindTask } from "./stack/unwind.ts";

// Compiled, the library has a script for other threads beside itself.
if (import.meta.url.endsWith(".js")) workerSettings.script ??= new URL("./faces/index-worker.js", import.meta.url);

// Both decoders are CommonJS and large: they are loaded when something is disassembled first.
setDisassemblerLoader("x86_64", async () => {
  const { X8664Disassembler } = await import("./arch/x86-64-disassembler.ts");
  return new X8664Disassembler(((await import("iced-x86")) as { readonly default: unknown }).default as IcedModule);
});
setDisassemblerLoader("aarch64", async () => {
  const { Arm64Disassembler } = await import("./arch/arm64-disassembler.ts");
  const { default: start } = (await import("@alexaltea/capstone-js" as string)) as { readonly default: unknown };
  return new Arm64Disassembler(await (start as () => Promise<CapstoneModule>)());
});
