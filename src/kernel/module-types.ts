/**
 * BTF of the loaded modules. `module.btf_data` is gone once a module is loaded; the lasting copy hangs off the list `btf_modules`
 * (kernel/bpf/btf.c, 5.11 on):
 *
 *   btf_modules ⇄ struct btf_module { list, module, btf } → struct btf { data, data_size, base_btf }
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { Btf } from "../debug-info/btf.ts";
import type { SymbolTable } from "../debug-info/symbols.ts";
import type { Memory } from "./address-space.ts";
import { containerOf } from "./field.ts";
import type { Types } from "./types.ts";

const MAX_MODULES = 10_000;
const MAX_MODULE_BTF = 64 << 20;

/** Types of each module that carries BTF; what cannot be read is left out and said in `notes`. */
export function openModuleTypes(memory: Memory, types: Types, symbols: SymbolTable, vmlinux: Btf, notes: string[]): readonly Btf[] {
  const head = symbols.byName("btf_modules")?.address;
  const entry = types.tryStruct("btf_module");
  const btf = types.tryStruct("btf");
  const module = types.tryStruct("module");
  if (head === undefined || entry === undefined || btf === undefined || module === undefined) return [];
  if (vmlinux.note !== undefined) return [];
  const list = entry.field("list");
  const ownBase = btf.tryField("base_btf");
  // Types split from another base than vmlinux would be read with wrong ids.
  const kernelBtf = symbols.byName("btf_vmlinux")?.address;
  const base = kernelBtf === undefined ? undefined : memory.tryU64(kernelBtf);
  const found: Btf[] = [];
  const seen = new Set<VirtualAddress>();
  try {
    for (let node = virtual(memory.u64(head)); node !== head && seen.size < MAX_MODULES; node = virtual(memory.u64(node))) {
      if (seen.has(node)) break;
      seen.add(node);
      const at = containerOf(node, list);
      const name = module.field("name").string(entry.field("module").pointer(at));
      const object = entry.field("btf").pointer(at);
      const size = btf.field("data_size").number(object);
      try {
        if (size <= 0 || size > MAX_MODULE_BTF) continue;
        if (base !== undefined && ownBase !== undefined && ownBase.pointer(object) !== base) continue;
        found.push(Btf.open(memory.bytes(btf.field("data").pointer(object), size), name, vmlinux));
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        notes.push(`types of module ${name} cannot be read: ${error.message}`);
      }
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`the list of modules' types cannot be read to its end: ${error.message}`);
  }
  return found;
}
