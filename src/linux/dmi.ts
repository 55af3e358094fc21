/**
 * The machine's own description from SMBIOS (drivers/firmware/dmi_scan.c): `dmi_ident[]`, one string pointer per enum dmi_field.
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";

export interface DmiString {
  /** "BIOS_VENDOR", "PRODUCT_NAME" … */
  readonly name: string;
  readonly value: string;
}

/** Strings that are set; undefined when the kernel keeps none or the symbol or enum is missing. */
export function dmiStrings(kernel: Kernel): readonly DmiString[] | undefined {
  const table = kernel.tryAddress("dmi_ident");
  const type = kernel.types.find("enum", "dmi_field", { modules: false });
  const fields = type === undefined ? undefined : strip(type);
  if (table === undefined || fields === undefined || fields.kind !== "enum") return undefined;
  const found: DmiString[] = [];
  for (const { name, value } of fields.enumerators) {
    // DMI_NONE is 0; DMI_STRING_MAX ends the array, DMI_OEM_STRING behind it is no index.
    if (name === "DMI_STRING_MAX") break;
    const pointer = kernel.memory.tryU64(add(table, Number(value) * 8));
    if (name === "DMI_NONE" || pointer === undefined || pointer === 0n) continue;
    try {
      found.push({ name: name.replace(/^DMI_/, ""), value: kernel.memory.cString(pointer as VirtualAddress, 256) });
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      found.push({ name: name.replace(/^DMI_/, ""), value: `(unreadable: ${error.message})` });
    }
  }
  return found;
}
