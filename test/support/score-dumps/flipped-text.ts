/**
 * One bit of the kernel's code flipped, as memory that fails does it. Only a vmlinux can show it, and only where the kernel does not patch
 * its code itself (alternatives, jump labels, ftrace): there the dump differs from the file already, and such places are left alone.
 */
import { add, hex16 } from "../../../src/bytes/address.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { Mutation } from "./mutation.ts";
import { editsAt } from "./overlay.ts";
import { PlainElf } from "./plain-elf.ts";
import type { Chance } from "./random.ts";

/** Bytes around the flip that must be the file's own: more than any place the kernel patches. */
const ALIKE = 48;

export function flippedText(kernel: Kernel, chance: Chance): Mutation | undefined {
  const bound = kernel.debugInfo.vmlinux;
  const start = kernel.tryAddress("_stext");
  const end = kernel.tryAddress("_etext");
  if (bound === undefined || start === undefined || end === undefined) return undefined;
  const file = PlainElf.open(bound.path);
  if (file === undefined) return undefined;
  try {
    for (let tries = 0; tries < 200; tries++) {
      const at = add(start, ALIKE + chance.below(Number(end - start) - 2 * ALIKE));
      const here = kernel.memory.tryBytes(add(at, -ALIKE), 2 * ALIKE);
      const linked = file.code(BigInt.asUintN(64, at - bound.bias) - BigInt(ALIKE), 2 * ALIKE);
      if (here === undefined || linked === undefined || here.some((byte, i) => byte !== linked[i])) continue;
      const place = kernel.symbols.byAddress(at);
      if (place === undefined) continue;
      const bit = chance.below(8);
      return {
        kind: "text-flip",
        what: `bit ${bit} of the code at ${hex16(at)} (${kernel.symbolize(at)})`,
        edits: editsAt(kernel, at, Uint8Array.of((here[ALIKE] as number) ^ (1 << bit))),
        label: {
          class: ["hardware-error", "bit-flip"],
          // The byte, or the word that holds it.
          addresses: [0, 1, 2, 3, 4, 5, 6, 7].map((back) => add(at, -back)),
        },
        at,
        needsVmlinux: true,
      };
    }
    return undefined;
  } finally {
    file.close();
  }
}
