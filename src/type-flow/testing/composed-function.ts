/**
 * Functions composed of instructions' bytes, in a kernel with a few types, for the tests: each instruction is a line of hexadecimal and
 * the text it stands for.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { CType, FunctionType } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import {
  array,
  CHAR,
  functionType,
  INT,
  LONG,
  pointerTo,
  type SmallKernelParts,
  SparseMemory,
  smallKernel,
  struct,
  UINT,
  ULONG,
  union,
  VOID,
} from "../../kernel/testing/small-kernel.ts";

export const TEXT = virtual(0xffff_ffff_8100_0000n);
export const HELPER = virtual(0xffff_ffff_8100_0400n);

/** next at 0, id at 8. */
export const ITEM: CType = struct("item", [
  ["next", pointerTo(() => ITEM)],
  ["id", INT],
]);
/** number at 0, flags at 8. */
export const INODE: CType = struct("inode", [
  ["number", ULONG],
  ["flags", UINT],
]);
const PATH = struct("path", [
  ["mnt", pointerTo(VOID)],
  ["count", LONG],
]);
/** first at 0, mode at 8, inode at 0x10, path at 0x18, open at 0x28, private at 0x30. */
export const FILE = struct("file", [
  ["first", pointerTo(ITEM)],
  ["mode", UINT],
  ["inode", pointerTo(INODE)],
  ["path", PATH],
  ["open", pointerTo(functionType(pointerTo(INODE), INT))],
  ["private", pointerTo(VOID)],
]);
/** count or owner at 0, low and high at 8, name at 0x10, entries at 0x20. */
export const TABLE = struct("table", [
  [
    undefined,
    union(undefined, [
      ["count", LONG],
      ["owner", pointerTo(INODE)],
      ["half", INT],
    ]),
  ],
  ["low", UINT, 3],
  ["high", UINT, 9],
  ["name", array(CHAR, 16)],
  ["entries", array(pointerTo(INODE), 4)],
]);
/** pid at 8. */
export const TASK = struct("task_struct", [
  ["state", LONG],
  ["pid", INT],
]);

/** Lines of `bytes  text`; the text is for the reader. */
export function bytesOf(code: string): Uint8Array {
  const hex = code
    .trim()
    .split("\n")
    .map((line) => (line.trim().split(/\s+/)[0] ?? "").replace(/[^0-9a-f]/g, ""))
    .join("");
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A kernel with the function `f` (prototype f(struct file *file, long cmd) unless told) and the function `helper` that returns an inode. */
export function kernelWith(machine: "x86_64" | "aarch64", code: string, parts: Partial<SmallKernelParts> & { type?: CType } = {}): Kernel {
  const memory = parts.memory ?? new SparseMemory();
  const body = bytesOf(code);
  (memory as SparseMemory).write(TEXT, body);
  const kernel = smallKernel({
    ...parts,
    memory,
    types: [ITEM, INODE, FILE, TABLE, TASK, ...(parts.types ?? [])],
    symbols: {
      f: [TEXT, "T"],
      padding: [BigInt.asUintN(64, TEXT + BigInt(body.length)), "t"],
      helper: [HELPER, "T"],
      end: [BigInt.asUintN(64, HELPER + 16n), "T"],
      ...parts.symbols,
    },
    functions: {
      f: parts.type ?? named(functionType(VOID, pointerTo(FILE), LONG), "file", "cmd"),
      helper: functionType(pointerTo(INODE), pointerTo(VOID)),
      ...parts.functions,
    },
  });
  Object.assign(kernel.arch, { name: machine });
  return kernel;
}

/** The type with names for its parameters. */
export function named(type: FunctionType, ...names: readonly string[]): FunctionType {
  return { ...type, parameters: type.parameters.map((parameter, i) => ({ type: parameter.type, name: names[i] })) };
}

/** Address of an instruction by its offset. */
export function at(offset: number): VirtualAddress {
  return virtual(TEXT + BigInt(offset));
}
