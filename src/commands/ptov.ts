/** `ptov`: physical addresses to virtual ones of the linear mapping, per-CPU offsets to each CPU's address. */
import { hex16, physical, virtual } from "../bytes/address.ts";
import { LookupError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import { ptovApi } from "./api/memory.ts";
import { type Command, defineCommand } from "./command.ts";
import { parseCpuList, splitCpuSuffix } from "./support/cpu-list.ts";
import { parseAddress, parseHex } from "./support/numbers.ts";

/** No machine here has more than 52 bits of physical address; what is larger would wrap around. */
const PHYSICAL_LIMIT = 1n << 52n;

export interface PtovResult {
  readonly addresses: readonly { readonly virtual: bigint; readonly physical: bigint }[];
  readonly perCpu: readonly { readonly offset: bigint; readonly cpus: readonly { readonly cpu: number; readonly virtual: bigint }[] }[];
}

export const ptov: Command<PtovResult> = defineCommand<PtovResult>({
  spec: {
    name: "ptov",
    summary: "physical or per-CPU address to virtual",
    synopsis: ["physical-address…", "per-cpu-offset:cpus…"],
    description: [
      "Shows the kernel virtual address by which the linear mapping reaches a physical address (hexadecimal).",
      "With a colon, the first part is an offset into the per-CPU areas, or a per-CPU symbol, and the second a list of CPUs: 0   1,3   0-2   a (all).",
    ],
    options: [],
    operands: ["number", "symbol"],
    examples: [
      ["ptov 56e000", "ffff88000056e000"],
      ["ptov runqueues:0,1", "where CPUs 0 and 1 have their run queue"],
    ],
    differences: ["A per-CPU symbol may stand for its offset."],
    minimal: true,
  },
  run({ kernel }, { operands }) {
    if (operands.length === 0) throw new UsageError("usage: ptov physical-address… | offset:cpus…");
    const addresses: { virtual: bigint; physical: bigint }[] = [];
    const perCpu: PtovResult["perCpu"][number][] = [];
    for (const operand of operands) {
      const { name, cpus } = splitCpuSuffix(operand);
      if (cpus === undefined) {
        const at = physical(parseHex(operand));
        const linear = kernel.arch.toLinear(at);
        if (linear === undefined) throw new UnsupportedError("where this kernel's linear mapping begins was not found in the dump");
        if (at >= PHYSICAL_LIMIT || !kernel.arch.isKernelAddress(linear))
          throw new LookupError(`${operand}: the linear mapping reaches no such physical address`);
        addresses.push({ virtual: linear, physical: at });
        continue;
      }
      const possible = kernel.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [cpu]));
      const offset = virtual(parseAddress(kernel, name));
      perCpu.push({ offset, cpus: parseCpuList(cpus, possible).map((cpu) => ({ cpu, virtual: kernel.perCpuAddress(offset, cpu) })) });
    }
    return { addresses, perCpu };
  },
  api(session, args) {
    const { addresses, perCpu } = ptov.run(session, args);
    return ptovApi(
      addresses.map(({ physical: address }) => address),
      perCpu.map(({ offset, cpus }) => ({ offset, cpus: cpus.map(({ cpu }) => cpu) })),
    );
  },
  *text({ addresses, perCpu }) {
    let first = true;
    for (const row of addresses) {
      if (!first) yield "";
      first = false;
      yield "VIRTUAL           PHYSICAL";
      yield `${hex16(row.virtual)}  ${row.physical.toString(16)}`;
    }
    for (const { offset, cpus } of perCpu) {
      if (!first) yield "";
      first = false;
      yield `PER-CPU OFFSET: ${offset.toString(16)}`;
      yield "  CPU    VIRTUAL";
      for (const { cpu, virtual: at } of cpus) yield `  [${cpu}]  ${hex16(at)}`;
    }
  },
});
