/** `kmem -V`: the counters of the memory manager. */
import { UsageError } from "../../bytes/errors.ts";
import { unlessBroken } from "../../linux/until-broken.ts";
import {
  globalNodeCounters,
  globalNumaCounters,
  globalZoneCounters,
  type VmCounter,
  type VmCounters,
  vmEvents,
} from "../../linux/vmstat.ts";
import { noteLines } from "./columns.ts";
import { defineView } from "./view.ts";

export interface CounterTable {
  /** VM_ZONE_STAT … */
  readonly name: string;
  readonly counters: readonly VmCounter[];
}

export interface CountersView {
  readonly tables: readonly CounterTable[];
  readonly notes: readonly string[];
}

const EVENTS = "VM_EVENT_STATES";

export const counters = defineView<CountersView>({
  options: [{ flag: "-V", help: "counters of zones, nodes and NUMA, and events since boot" }],
  description: [
    "-V shows the shared values, as crash does; what CPUs hold back of a counter is `pending` in JSON, and both together are exact.",
  ],
  examples: [["kmem -V", "all counters of /proc/vmstat"]],
  differences: ["-V: the NUMA table is shown on 5.14 and newer too, where it is named VM_NUMA_EVENT."],
  run({ kernel }, args) {
    if (args.operands.length > 0) throw new UsageError("kmem: -V takes no address");
    if (kernel.types.lack !== undefined) throw kernel.types.lack;
    const notes: string[] = [];
    const note = ({ message }: Error) => notes.includes(message) || notes.push(message);
    const numa = kernel.tryAddress("vm_numa_event") === undefined ? "VM_NUMA_STAT" : "VM_NUMA_EVENT";
    const split = kernel.types.enumerator("NR_VM_NODE_STAT_ITEMS") !== undefined;
    // Compiled in only with CONFIG_VM_EVENT_COUNTERS.
    const events = kernel.tryAddress("vm_events_fold_cpu") ?? kernel.tryAddress("all_vm_events") ?? kernel.tryAddress("vm_event_states");
    const sources: readonly (readonly [name: string, read: () => VmCounters | undefined])[] = [
      [split ? "VM_ZONE_STAT" : "VM_STAT", () => globalZoneCounters(kernel)],
      ["VM_NODE_STAT", () => globalNodeCounters(kernel)],
      [numa, () => globalNumaCounters(kernel)],
      [EVENTS, () => (events === undefined ? undefined : vmEvents(kernel))],
    ];
    const tables = sources.flatMap(([name, read]) => {
      const found = unlessBroken(read, ({ message }) => note(new Error(`${name} cannot be read: ${message}`)));
      for (const each of found?.notes ?? []) note(new Error(each));
      return found === undefined ? [] : [{ name, counters: found.counters }];
    });
    if (events === undefined) note(new Error("events are not counted: the kernel was built without CONFIG_VM_EVENT_COUNTERS"));
    return { tables, notes };
  },
  *text({ tables, notes }) {
    const events = widest(tables.filter(({ name }) => name === EVENTS));
    const others = widest(tables.filter(({ name }) => name !== EVENTS));
    for (const [i, table] of tables.entries()) {
      if (i > 0) yield "";
      yield `  ${table.name}:`;
      // Counters of zones, nodes and NUMA share a column.
      yield* counterLines(table.counters, table.name === EVENTS ? events : others);
    }
    yield* noteLines(notes);
  },
});

function widest(tables: readonly CounterTable[]): number {
  return Math.max(0, ...tables.flatMap(({ counters }) => counters.map(({ name }) => name.length)));
}

/** One line a counter, names to the right. */
export function* counterLines(counters: readonly VmCounter[], width?: number): Iterable<string> {
  const wide = width ?? Math.max(0, ...counters.map(({ name }) => name.length));
  for (const { name, value } of counters) yield `${name.padStart(wide)}: ${value}`;
}
