/** How `vm` reads: the mappings of a process with its memory in kibibytes, and the structures behind them. */
import { hex16 } from "../../bytes/address.ts";
import { placeText } from "../support/page-place-text.ts";
import type { StructName } from "../support/struct-name.ts";
import { objectLines } from "../support/struct-object.ts";
import { VMA_HEADER, vmaText } from "../support/vma-text.ts";
import type { VmTask } from "../vm.ts";

/** A process and its mappings. @param single -P: one mapping was asked for, and the heading is left out */
export function* mappingsText({ mm, pgd, rssKiB, totalKiB, mappings }: VmTask, single: boolean): Iterable<string> {
  if (!single) {
    yield "       MM               PGD          RSS    TOTAL_VM";
    const [at, directory] = [mm, pgd].map((value) => (value === 0n ? "       0        " : hex16(value)));
    yield `${at}  ${directory}  ${centred(`${rssKiB}k`, 6)}  ${centred(`${totalKiB}k`, 8)}`.trimEnd();
  }
  let found = false;
  for (const mapping of mappings ?? []) {
    if (!found || mapping.pages !== undefined) yield VMA_HEADER;
    found = true;
    yield vmaText(mapping);
    if (mapping.pages === undefined) continue;
    yield "VIRTUAL     PHYSICAL";
    for (const page of mapping.pages) yield `${page.virtual.toString(16).padEnd(10)}  ${placeText(page)}`;
  }
  if (single && !found) yield "(not found)";
}

function centred(text: string, width: number): string {
  const left = Math.max(0, Math.floor((width - text.length) / 2));
  return `${" ".repeat(left)}${text}`.padEnd(width);
}

/** -m, -v: the mm_struct or each vm_area_struct with its members. */
export function* structuresText(structures: NonNullable<VmTask["structures"]>, radix: 10 | 16): Iterable<string> {
  for (const { name, object } of structures) {
    const struct: StructName = { type: { kind: "struct", name, size: 0, members: [] }, name, isTypedef: false, members: [] };
    yield* objectLines(struct, object, radix);
  }
}
