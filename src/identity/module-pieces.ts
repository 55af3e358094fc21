/** Which part of which module lies where: the sections the kernel kept a list of, else the regions it allocated (kernel/module/main.c). */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { moduleSections } from "../linux/module-sections.ts";

/** A section or region of a module. */
export interface ModulePiece {
  readonly module: string;
  readonly section: string;
  readonly start: VirtualAddress;
}

/** Sections of the modules where the kernel kept them, else their regions ("text", "data", "core"). */
export function* modulePieces(kernel: Kernel) {
  for (const { name, address, regions } of kernel.modules) {
    for (const { kind, start, size } of regions) {
      yield { start, end: add(start, size), value: { module: name, section: kind, start } };
    }
    let sections: { readonly name: string; readonly address: VirtualAddress }[] = [];
    try {
      sections = [...moduleSections(kernel, address)].sort((a, b) => (a.address < b.address ? -1 : 1));
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    const nextAbove = sections.map((_, i) => i + 1);
    for (let i = sections.length - 2; i >= 0; i--)
      if (sections[i + 1]?.address === sections[i]?.address) nextAbove[i] = nextAbove[i + 1] as number;
    for (const [i, section] of sections.entries()) {
      const region = regions.find(({ start, size }) => section.address >= start && section.address < add(start, size));
      if (region === undefined) continue;
      // Empty sections share their address with the one behind them.
      const next = sections[nextAbove[i] as number]?.address;
      const last = add(region.start, region.size);
      yield {
        start: section.address,
        end: next !== undefined && next < last ? next : last,
        value: { module: name, section: section.name, start: section.address },
      };
    }
  }
}
