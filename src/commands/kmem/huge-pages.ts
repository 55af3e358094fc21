/** `kmem -h`: the pools of huge pages. */
import { hex16 } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import { type HugePagePool, hugePagePools } from "../../linux/huge-page.ts";
import { defineView } from "./view.ts";

export interface HugePagesView {
  readonly pools: readonly (HugePagePool & { readonly size: number })[];
}

export const hugePages = defineView<HugePagesView>({
  options: [{ flag: "-h", help: "pools of huge pages: address of the hstate, size, free and total pages, name" }],
  examples: [["kmem -h", "how many huge pages there are"]],
  run({ kernel }, args) {
    if (args.operands.length > 0) throw new UsageError("kmem: -h takes no address");
    return { pools: hugePagePools(kernel).map((pool) => ({ ...pool, size: kernel.arch.pageSize * 2 ** pool.order })) };
  },
  *text({ pools }) {
    if (pools.length === 0) {
      yield "(no pools: the kernel was built without CONFIG_HUGETLB_PAGE)";
      return;
    }
    yield "     HSTATE        SIZE    FREE   TOTAL  NAME";
    for (const { address, size, free, total, name } of pools)
      yield `${hex16(address)}  ${unitText(size).padStart(5)}  ${String(free).padStart(6)}  ${String(total).padStart(6)}  ${name}`;
  },
});

function unitText(bytes: number): string {
  if (bytes >= 2 ** 30) return `${bytes / 2 ** 30}GB`;
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20}MB` : `${bytes / 1024}KB`;
}
