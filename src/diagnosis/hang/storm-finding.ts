/** A storm of interrupts as a finding: the line, who serves it, how often it came, and what was interrupted by it. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence, VerdictClass } from "../verdict.ts";
import { verdictStack } from "../verdict-stack.ts";
import { functionText } from "./guilty-frame.ts";
import { containerAround } from "./lock-object.ts";
import type { ReportedStall } from "./reported.ts";
import type { Standstill } from "./standstill.ts";
import type { StoppedCpu } from "./stopped-cpu.ts";
import type { Storm } from "./storm.ts";
import { forText, who } from "./who.ts";

/** What was found by the lockup or the stall. */
export interface StormVictim {
  readonly class: VerdictClass;
  readonly cpu: StoppedCpu;
  readonly seconds: number | undefined;
  readonly report: ReportedStall | undefined;
  /** What it keeps from going on besides: "the grace period of rcu_sched does not end"; nothing for a lockup. */
  readonly besides?: string;
}

const PLACES: Readonly<Record<Storm["struckIn"], string>> = {
  handler: "in the handler itself",
  interrupt: "at the end of an interrupt",
  idle: "while it idled, where nothing loops",
  "user mode": "in user mode, where the kernel does not loop",
  code: "in code of the task that does not loop",
};

export function stormFinding(still: Standstill, storm: Storm, victim: StormVictim): Finding {
  const { kernel } = still;
  const { line, rate, others, told } = storm;
  const { cpu } = victim;
  const served = handlerOf(storm);
  const handler = served === undefined ? undefined : functionText({ function: served.name, module: served.module });
  const devices = [...new Set(storm.handlers.map(({ device }) => device).filter((name) => name !== ""))].join(", ");
  const name = `${line.label}${devices === "" ? (line.irq === undefined ? ` (${line.text})` : "") : ` (${devices})`}`;
  const count = line.count.toLocaleString("en-US");
  const frames = verdictStack(kernel, cpu.stack, storm.frame, cpu.struck);
  return {
    class: victim.class,
    title: `${name} interrupts CPU ${cpu.cpu} without end${handler === undefined ? "" : `: ${handler} serves it and it comes again`}; ${who(cpu.task)} does not go on${forText(victim.seconds)}${victim.besides === undefined ? "" : `, ${victim.besides}`}`,
    depth: "cause",
    checks: checks(storm, victim),
    ...(storm.queued !== undefined ? { object: itemObject(still, storm.queued.item, served?.module) } : {}),
    ...(line.descriptor === undefined
      ? {}
      : { object: { type: "struct irq_desc", address: line.descriptor, state: `came ${count} times on CPU ${cpu.cpu}` } }),
    ...(served === undefined
      ? {}
      : { place: { function: served.name, ...(served.module === undefined ? {} : { module: served.module }) } }),
    frames,
    story: [
      `CPU ${cpu.cpu} did not come back from ${who(cpu.task)}${forText(victim.seconds)}: it was struck ${PLACES[storm.struckIn]}.`,
      `${name}${line.text === "" || line.irq === undefined ? "" : `, ${line.text},`} came ${count} times there, ${Math.round(rate).toLocaleString("en-US")} a second since boot; all others together ${others.toLocaleString("en-US")} times.`,
      ...(told === undefined ? [] : [`The kernel itself counted ${told.toLocaleString("en-US")} of them during the lockup.`]),
      ...(storm.stolen === undefined
        ? []
        : [`Of the ${storm.stolen.onCpu.toFixed(1)} s that the task had the CPU, interrupts took ${storm.stolen.stolen.toFixed(1)} s.`]),
      ...(handler === undefined ? [] : [servedLine(storm, handler)]),
    ],
    evidence: evidence(storm, victim),
    participants: [
      {
        cpu: cpu.cpu,
        pid: cpu.task.pid,
        comm: cpu.task.comm,
        task: cpu.task.address,
        role: `interrupted all the time on CPU ${cpu.cpu}`,
        central: true,
      },
    ],
    subject: { cpu: cpu.cpu, pid: cpu.task.pid, comm: cpu.task.comm },
  };
}

function itemObject(still: Standstill, item: VirtualAddress, module: string | undefined): NonNullable<Finding["object"]> {
  const container = containerAround(still, item, "irq_work", module === undefined ? [] : [module]);
  return {
    type: container?.type ?? "struct irq_work",
    ...(container === undefined ? {} : { member: container.member }),
    address: container?.address ?? item,
  };
}

/** The handler that is on the stack; else the only one of the line. */
function handlerOf({ handlers, frame, struckIn }: Storm): Storm["handlers"][number] | undefined {
  return handlers.length === 1 || (struckIn === "handler" && frame !== undefined) ? handlers[0] : undefined;
}

function servedLine({ line, handlers, queued }: Storm, handler: string): string {
  if (queued !== undefined)
    return `The irq_work of ${handler} at ${hex16(queued.item)} was queued again when the machine stopped: the kernel interrupts itself for it as soon as it has run.`;
  const others = handlers.length > 1 ? `, one of ${handlers.length} that share the line,` : "";
  const nobody = line.unhandled > 0 ? ` ${line.unhandled.toLocaleString("en-US")} of its last were wanted by no handler.` : "";
  return line.level
    ? `It is a level line: it asks as long as the device does. ${handler}${others} returns, and the device still asks.${nobody}`
    : `${handler}${others} returns, and it comes again.${nobody}`;
}

function checks({ line, rate, struckIn, stolen, told, handlers, queued }: Storm, { cpu, report }: StormVictim): readonly Check[] {
  return [
    {
      what:
        told !== undefined
          ? "the kernel counted them while the CPU was locked up"
          : `it came more often on CPU ${cpu.cpu} than all others together, ${Math.round(rate)} times a second since boot`,
      result: "held",
    },
    ...(queued === undefined
      ? [
          {
            what: "the CPU was struck where nothing loops: in the handler, at an interrupt's end, idle or in user mode",
            result: struckIn !== "code" || told !== undefined || stolen !== undefined ? ("held" as const) : ("not possible" as const),
          },
        ]
      : [{ what: "what these interrupts serve was queued for the next one when the machine stopped", result: "held" as const }]),
    {
      what: "the CPU still runs the task that was reported",
      result: report === undefined || report.pid === undefined || report.pid === cpu.task.pid ? "held" : "not possible",
    },
    ...(stolen === undefined ? [] : [{ what: "of the task's time on the CPU more than half went to interrupts", result: "held" as const }]),
    ...(line.irq !== undefined && handlers.length > 1 && struckIn !== "handler"
      ? [{ what: "which of the handlers that share the line does not quiet its device", result: "not possible" as const }]
      : []),
  ];
}

function evidence({ line, queued }: Storm, { cpu, report }: StormVictim): Evidence[] {
  const found: Evidence[] = [];
  if (line.countAt !== undefined)
    found.push({
      claim: `${line.label} came ${line.count} times on CPU ${cpu.cpu}`,
      command: `rd -32 ${hex16(line.countAt)}`,
      values: [{ address: line.countAt, value: BigInt(line.count) }],
    });
  found.push({ claim: `what came how often on CPU ${cpu.cpu}`, command: `irq -s -c ${cpu.cpu}`, values: [] });
  if (queued !== undefined)
    found.push({
      claim: `an irq_work that is queued on CPU ${cpu.cpu}, and its function`,
      command: `struct irq_work.func ${hex16(queued.item)}`,
      values: [{ address: queued.at, value: queued.function }],
    });
  if (line.irq !== undefined) found.push({ claim: `who serves ${line.label}`, command: `irq ${line.irq}`, values: [] });
  found.push({ claim: `where CPU ${cpu.cpu} was struck`, command: `bt -c ${cpu.cpu}`, values: [] });
  if (report?.event !== undefined)
    found.push({
      claim: report.event.text,
      command: `log | grep -i ${/lockup/i.test(report.event.text) ? "lockup" : "stall"}`,
      values: [],
    });
  return found;
}
