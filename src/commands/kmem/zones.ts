/** `kmem -z`: each zone with its sizes, watermarks and counters. */
import { hex16 } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import { unlessBroken } from "../../linux/until-broken.ts";
import { type VmCounter, zoneCounters } from "../../linux/vmstat.ts";
import { memoryNodes, type Zone } from "../../linux/zone.ts";
import { viewApi } from "../api/views.ts";
import { noteLines } from "./columns.ts";
import { counterLines } from "./counters.ts";
import { defineView } from "./view.ts";

export interface ZonesView {
  readonly zones: readonly (Zone & { readonly counters: readonly VmCounter[] })[];
  readonly notes: readonly string[];
}

export const zones = defineView<ZonesView>({
  options: [{ flag: "-z", help: "zones: size, present pages where they differ, watermarks, counters" }],
  examples: [["kmem -z", "how much each zone has free, against its watermarks"]],
  differences: ["-z: a zone whose watermarks are boosted shows the boost, which the kernel adds to each of them."],
  run({ kernel }, args) {
    if (args.operands.length > 0) throw new UsageError("kmem: -z takes no address");
    const { nodes, notes } = memoryNodes(kernel);
    const all = [...notes];
    const note = ({ message }: Error) => all.includes(message) || all.push(message);
    const zones = nodes.flatMap((node) =>
      node.zones.map((zone) => {
        const found = zone.spanned === 0 ? undefined : unlessBroken(() => zoneCounters(kernel, zone), note);
        for (const each of found?.notes ?? []) note(new Error(each));
        return { ...zone, counters: found?.counters ?? [] };
      }),
    );
    return { zones, notes: all };
  },
  api: viewApi("return { zones: kernel.zones() };", ["-z"]),
  *text({ zones, notes }) {
    for (const zone of zones) {
      const { node, index, address, name, spanned, present, watermarks, boost } = zone;
      yield `NODE: ${node}  ZONE: ${index}  ADDR: ${hex16(address)}  NAME: "${name}"`;
      if (spanned === 0) {
        yield "  [unpopulated]";
      } else {
        const gaps = present === spanned ? "" : `PRESENT: ${present}  `;
        const { min, low, high } = watermarks;
        yield `  SIZE: ${spanned}  ${gaps}MIN/LOW/HIGH: ${min}/${low}/${high}${boost === 0 ? "" : `  BOOST: ${boost}`}`;
        yield "  VM_STAT:";
        yield* counterLines(zone.counters);
        yield "";
      }
      yield "";
    }
    yield* noteLines(notes);
  },
});
