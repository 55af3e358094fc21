/** `kmem -o`: where each CPU's copy of per-CPU data lies, __per_cpu_offset[]. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import { defineView } from "./view.ts";

export interface PerCpuOffsets {
  readonly offsets: readonly { readonly cpu: number; readonly offset: VirtualAddress }[];
}

export const perCpuOffsets = defineView<PerCpuOffsets>({
  options: [{ flag: "-o", help: "offset of each CPU's copy of per-CPU data" }],
  examples: [["kmem -o", "where each CPU's per-CPU data lies"]],
  run({ kernel }, args) {
    if (args.operands.length > 0) throw new UsageError("kmem: -o takes no address");
    return { offsets: kernel.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [{ cpu, offset }])) };
  },
  *text({ offsets }) {
    yield "PER-CPU OFFSET VALUES:";
    for (const { cpu, offset } of offsets) yield `${`CPU ${cpu}`.padStart(7)}: ${hex16(offset)}`;
  },
});
