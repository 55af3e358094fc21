/** Which parser reads the fields of which family. */
import type { LogLine, ReportFamily } from "../report.ts";
import type { FieldParser, Fields } from "./fields.ts";
import { kasanFields } from "./kasan.ts";
import { contextFields, lockdepFields } from "./locking.ts";
import { kmemleakFields, machineCheckFields, oomFields, pageFields, slubFields } from "./memory.ts";
import { oopsFields } from "./oops.ts";
import { otherFields, panicFields, stackFields } from "./other.ts";
import { kcsanFields, kfenceFields, kmsanFields, ubsanFields } from "./sanitizers.ts";
import { hungFields, lockupFields, rcuFields, workqueueFields } from "./stalls.ts";
import { warningFields } from "./warning.ts";

const PARSERS: Readonly<Record<ReportFamily, FieldParser>> = {
  oops: oopsFields,
  warning: warningFields,
  kasan: kasanFields,
  kmsan: kmsanFields,
  kcsan: kcsanFields,
  kfence: kfenceFields,
  ubsan: ubsanFields,
  slub: slubFields,
  list: (lines, lead) => ({ ...oopsFields(lines, lead), ...warningFields(lines, lead) }),
  refcount: warningFields,
  lockdep: lockdepFields,
  context: contextFields,
  "hung-task": hungFields,
  "soft-lockup": lockupFields,
  "hard-lockup": lockupFields,
  "rcu-stall": rcuFields,
  "workqueue-lockup": workqueueFields,
  oom: oomFields,
  kmemleak: kmemleakFields,
  "page-state": pageFields,
  stack: stackFields,
  "machine-check": machineCheckFields,
  panic: panicFields,
  other: otherFields,
};

export function familyFields(family: ReportFamily, lines: readonly LogLine[], lead: readonly LogLine[]): Fields {
  return PARSERS[family](lines, lead);
}
