/**
 * Code of a module that no list leads to: load_module() links it before its symbols and lines are all known, free_module() unlinks it before
 * its memory goes (kernel/module/main.c). What leads there is not wrong.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { AddressRegions } from "../../linux/address-regions.ts";
import { wordAt } from "./look.ts";

/** It is mapped where modules lie, and belongs to none that is listed. */
export function isStrayModule(kernel: Kernel, at: VirtualAddress): boolean {
  const { region, name } = AddressRegions.of(kernel).of(at);
  return region === "modules" && name === undefined && wordAt(kernel, at) !== "nowhere";
}
