/**
 * Paths of source files as gdb shows them: as the compiler was given them, without the directory that it ran in.
 *
 *   debian/build/build_amd64/kernel/panic.c   in a unit compiled in debian/build/build_amd64   ──►   kernel/panic.c
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";

/** @param file path of a source place; @param address code that comes from it */
export function compilersPath(kernel: Kernel, file: string, address: VirtualAddress): string {
  const directory = kernel.debugInfo.scopes(address).at(-1)?.die.unit.directory;
  if (directory === undefined || directory === "") return file;
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  return file.startsWith(prefix) ? file.slice(prefix.length) : file;
}
