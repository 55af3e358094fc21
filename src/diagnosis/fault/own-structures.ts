/** Structures that a module itself defines: its BTF holds those that the kernel's lacks; of its debug information those are taken. */
import type { StructType } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";

/** Once for each module. */
export function ownStructures(kernel: Kernel, module: string): readonly StructType[] {
  const kept = kernel.memo(ownStructures, () => new Map<string, readonly StructType[]>());
  const known = kept.get(module);
  if (known !== undefined) return known;
  kernel.types.loadModules();
  const { sources } = kernel.types;
  const carried = sources.find(({ owner }) => owner === module);
  const source = carried ?? [...kernel.types.described()].find(({ owner }) => owner === module);
  // A forward declaration of the same name, or a structure that the compiler completed here alone, is told by neither.
  const isShared = (name: string) => sources[0]?.owner === "vmlinux" && sources[0].find("struct", name) !== undefined;
  const found = source === undefined ? [] : [...source.structs()];
  const own = carried === undefined ? found.filter(({ name }) => name !== undefined && !isShared(name)) : found;
  kept.set(module, own);
  return own;
}
