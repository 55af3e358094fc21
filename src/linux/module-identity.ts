/**
 * Of which build a loaded module is, and where its sections lie for the relocation of its debug file.
 *
 *   .note.gnu.build-id   its address is among the module's sections (module-sections.ts); the note itself lies in the module's memory
 *   module.build_id[20]  the same, copied by the loader (5.14 on with CONFIG_STACKTRACE_BUILD_ID, 9294523e3768)
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { buildIdOf } from "../debug-info/build-id.ts";
import { hex } from "../debug-info/debug-links.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelModule } from "../kernel/modules.ts";
import { type ModuleSection, moduleSections } from "./module-sections.ts";

/** Header, "GNU", and the longest id there is. */
const NOTE_HEADER = 16;
const MAX_ID = 64;

/** Sections of a module by name, with the per-CPU one where the loader put its copy; empty when the kernel kept no list. */
export function moduleSectionAddresses(kernel: Kernel, module: KernelModule): ReadonlyMap<string, bigint> {
  const addresses = new Map<string, bigint>(
    readable(() => moduleSections(kernel, module.address), []).map(({ name, address }) => [name, address]),
  );
  // The loader takes it off the list of loaded sections: symbols in it are relative to the module's per-CPU allocation.
  const percpu = kernel.types.tryStruct("module")?.tryField("percpu");
  const allocated = percpu === undefined ? 0n : readable(() => percpu.pointer(module.address), 0n as VirtualAddress);
  if (allocated !== 0n) addresses.set(".data..percpu", allocated);
  return addresses;
}

/** GNU build-id of a loaded module in hex; undefined when it has none or it cannot be read. */
export function moduleBuildId(kernel: Kernel, module: KernelModule): string | undefined {
  const none: readonly ModuleSection[] = [];
  const note = readable(() => moduleSections(kernel, module.address), none).find(({ name }) => name === ".note.gnu.build-id");
  if (note !== undefined) {
    const size = kernel.memory.tryU32(add(note.address, 4)) ?? 0;
    const bytes = size > 0 && size <= MAX_ID ? kernel.memory.tryBytes(note.address, NOTE_HEADER + Math.ceil(size / 4) * 4) : undefined;
    const found = bytes === undefined ? undefined : buildIdOf(bytes);
    if (found !== undefined) return found;
  }
  const copy = kernel.types.tryStruct("module")?.tryField("build_id");
  const bytes = copy === undefined ? undefined : kernel.memory.tryBytes(add(module.address, copy.offset), Math.min(copy.size, MAX_ID));
  return bytes?.some((byte) => byte !== 0) === true ? hex(bytes) : undefined;
}

function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InquestError) return otherwise;
    throw error;
  }
}
