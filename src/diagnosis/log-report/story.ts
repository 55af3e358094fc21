/** A report's story in plain English: who was where, what was read or written, what is known of the object, what to look at next. */
import { TAINT_FLAGS } from "../../linux/taint.ts";
import type { Verdict } from "../verdict.ts";
import { inAllocator, isPoison } from "./classify.ts";
import type { CodeOrigin } from "./code-origin.ts";
import type { FaultingInstruction } from "./faulting-instruction.ts";
import { isPassedOver } from "./passed-over.ts";
import type { LogReport } from "./report.ts";
import { endingOf } from "./story-endings.ts";
import type { TouchedMember } from "./symbolise.ts";
import { hex } from "./title.ts";
import type { Place } from "./trace-place.ts";

/** What was worked out beside the report's own fields. */
export interface Findings {
  readonly verdict: Verdict;
  readonly place: Place;
  /** Meaningful callers of the place, innermost first. */
  readonly callers: readonly string[];
  readonly instruction: FaultingInstruction | undefined;
  readonly codeOrigin: CodeOrigin | undefined;
  readonly touched: TouchedMember | undefined;
}

export function storyOf(report: LogReport, findings: Findings): string[] {
  return [
    ...whereabouts(report, findings),
    ...theAccess(report, findings),
    ...theObject(report, findings.verdict),
    ...theLocks(report),
    ...theSuspects(report, findings),
    ...report.damage.map((reason) => `Not whole: ${reason}.`),
  ];
}

function whereabouts(report: LogReport, { verdict, place, callers }: Findings): string[] {
  const ending = endingOf(report, place.function !== undefined);
  if (ending !== undefined) return ending;
  const { comm, pid, cpu } = report;
  const task = comm === undefined ? "" : ` in task ${comm}${pid === undefined ? "" : ` (${pid})`}`;
  const on = cpu === undefined ? "" : ` on CPU ${cpu}`;
  const story: string[] = [];
  if (place.function !== undefined)
    story.push(
      `${place.function}${callers.length === 0 ? "" : `, called by ${callers.slice(0, 2).join(" from ")},`} ${report.family === "hung-task" ? "is waiting" : "was running"}${task}${on}.`,
    );
  else if (report.fields.headless === 1)
    story.push(
      `The report begins in the middle${callers.length === 0 ? "" : `: the code that failed stood above ${callers[0]} and was called by it`}; it is not named${task}${on}.`,
    );
  else story.push(`The report does not tell where it happened${task}${on}.`);
  if (verdict.class === "stack-overflow") story.push(...recursion(report));
  const pc = report.pc?.function;
  if (verdict.class === "hardware-error" && place.function !== undefined)
    story.push(
      `${/SError/.test(`${report.head} ${String(report.fields.text ?? "")}`) ? "An SError comes late, after the access that it answers: a" : "A"} device, the memory or the bus failed, and what ran then need not have to do with it.`,
    );
  const dog = /NETDEV WATCHDOG: (\S+) \((.+?)\): transmit queue (\d+) timed out/.exec(String(report.fields.text ?? ""));
  if (dog !== null)
    story.push(
      `Nothing left ${dog[1]}'s transmit queue ${dog[3]} in time: the device, its driver ${dog[2]} or its interrupts stand still; the watchdog only tells.`,
    );
  if (typeof report.fields.endbr === "string")
    story.push(`An indirect call led to ${report.fields.endbr}, which does not begin with ENDBR: it is no place that may be called so.`);
  if (typeof report.fields.list === "string") story.push(`The check says: ${report.fields.list}`);
  if (report.family === "oops" && pc !== undefined && place.function !== undefined && pc !== place.function)
    story.push(
      inAllocator(report)
        ? `The fault itself was in ${pc}, which ${place.function} asked for memory and gave no pointer: what it met is the allocator's own. A list of free objects that somebody wrote over looks like this.`
        : isPassedOver(pc, ["reporting", "exception"])
          ? `It is told by ${pc}, which handles the exception.`
          : `The fault itself was in ${pc}, which does what its caller asks.`,
    );
  return story;
}

/** Functions that stand in the trace many times: they call themselves or each other. */
function recursion(report: LogReport): string[] {
  const times = new Map<string, number>();
  for (const { frames } of report.traces)
    for (const { function: name, doubtful, inlined } of frames)
      if (name !== undefined && doubtful !== true && inlined !== true) times.set(name, (times.get(name) ?? 0) + 1);
  const most = [...times].filter(([, count]) => count >= 4).sort(([, a], [, b]) => b - a);
  const top = most.filter(([, count]) => count * 2 > (most[0]?.[1] ?? 0)).slice(0, 4);
  const names = top.map(([name]) => name).join(", ");
  if (top.length === 0) return [];
  return [
    `${names} ${top.length === 1 ? "calls itself" : "call each other"}: ${top[0]?.[1]} times in the part of the stack that was printed.`,
  ];
}

function theAccess(report: LogReport, { verdict, instruction, codeOrigin, touched }: Findings): string[] {
  const { fields, faultAddress } = report;
  const story: string[] = [];
  // What a check ends in, or a WARN: that it was reached is all it says; of a loop it is where chance stopped it.
  if (instruction !== undefined && report.family === "oops" && !/^(?:ud[012]|brk|int3)\b/.test(instruction.text)) {
    const { text, operand } = instruction;
    const held = operand?.registers.map(({ name, value }) => `${name} = ${hex(value)}`).join(", ");
    const size = operand === undefined || operand.size === 0 ? "" : ` ${operand.size} byte${operand.size === 1 ? "" : "s"}`;
    story.push(
      operand === undefined
        ? `The instruction is ${text}.`
        : `The instruction ${text} ${operand.access}s${size} at ${operand.formula}${held === "" ? ", a constant in it: no register held the base" : `, with ${held}`}.`,
    );
  }
  if (touched !== undefined)
    story.push(
      `That is ${touched.text ?? `(${touched.container} *)->${touched.member}`}, a member of ${touched.container}${touched.origin === undefined ? "" : `; the pointer is ${touched.origin}`}.`,
    );
  if (codeOrigin !== undefined)
    story.push(
      `${codeOrigin.register} = ${hex(codeOrigin.value)} had just been loaded from ${codeOrigin.formula}${codeOrigin.address === undefined ? "" : ` = ${hex(codeOrigin.address)}`}: what lies there is no pointer, so the object at ${codeOrigin.base} was overwritten, freed, or is not of the type that the code takes it for.`,
    );
  if (faultAddress !== undefined && verdict.access !== undefined) {
    if (verdict.class === "null-pointer-dereference" && faultAddress < 4096n)
      story.push(
        `The ${verdict.access.kind} of ${hex(faultAddress)} is a member at offset ${hex(faultAddress)} of a NULL pointer, or an index on one.`,
      );
    else if (isPoison(faultAddress))
      story.push(
        `${hex(faultAddress)} is poison: the pointer was read from an object that was freed, or from a list entry that was unlinked.`,
      );
  }
  if (typeof fields.rangeStart === "bigint" && typeof fields.rangeEnd === "bigint")
    story.push(
      `KASAN: the access was meant for ${hex(fields.rangeStart)} to ${hex(fields.rangeEnd)}; the printed address is that of its shadow.`,
    );
  if (typeof fields.reason === "string") story.push(`The CPU says: ${fields.reason}.`);
  if (fields.returned === 1)
    story.push("The link register holds the same address: no call led there, a function returned, and its frame had been written over.");
  return story;
}

function theObject(report: LogReport, verdict: Verdict): string[] {
  const { fields } = report;
  const { object } = verdict;
  const story: string[] = [];
  if (object?.cache !== undefined)
    story.push(`The object lies in slab cache ${object.cache}${object.state === undefined ? "" : ` (${object.state})`}.`);
  else if (object?.type?.startsWith("variable ") === true) story.push(`It is ${object.type}.`);
  // A trace with holes names whoever stands behind the hole.
  const whole = !report.damage.some((reason) => /missing: the kernel dropped|mixed in/.test(reason));
  for (const name of whole ? (["Allocated", "Freed"] as const) : []) {
    const trace = report.traces.find((each) => each.name === name && each.frames.length > 0);
    const by = trace?.frames.find((frame) => frame.function !== undefined && frame.inlined !== true && !isPassedOver(frame.function));
    if (by?.function !== undefined)
      story.push(`It was ${name.toLowerCase()} by ${by.function}${trace?.pid === undefined ? "" : ` in task ${trace.pid}`}.`);
  }
  if (typeof fields.shadowMeaning === "string") {
    const tags = typeof fields.pointerTag === "string" ? "" : shadowRun(fields.shadow);
    story.push(`The shadow byte of the address means: ${fields.shadowMeaning}${tags}.`);
  }
  if (typeof fields.pointerTag === "string")
    story.push(`The pointer's tag is ${fields.pointerTag}, that of the memory ${String(fields.memoryTag)}: they do not belong together.`);
  if (typeof fields.flags === "string" && report.family === "page-state") {
    const names = fields.flags.split("|").filter((name) => name !== "" && !name.includes("="));
    story.push(
      `The page's flags are ${names.length === 0 ? "all clear" : names.join(", ")}${typeof fields.why === "string" ? `; it was refused for ${fields.why}` : ""}.`,
    );
  }
  return story;
}

/** ">ffff…: fa fb fb fb fc fc": how the guilty row reads, when it is not all of one kind. */
function shadowRun(shadow: unknown): string {
  if (typeof shadow !== "string") return "";
  const bytes = [...shadow.replace(/^>?[0-9a-f]{8,16}:/, "").matchAll(/\b[0-9a-f]{2}\b/g)].map(([text]) => text);
  const kinds = [...new Set(bytes.filter((byte) => byte !== "00"))];
  return kinds.length < 2 ? "" : ` (the row of 128 bytes reads ${bytes.join(" ")})`;
}

function theLocks({ fields }: LogReport): string[] {
  const story: string[] = [];
  if (typeof fields.lock === "string")
    story.push(
      `The lock is ${fields.lock}${typeof fields.held === "string" ? `, taken while ${fields.held} is held` : ""}${typeof fields.owner === "string" ? `, likely owned by ${fields.owner} (${String(fields.ownerPid)})` : ""}.`,
    );
  if (typeof fields.starved === "number")
    story.push(
      `The RCU grace-period thread itself did not run for ${fields.starved} jiffies: it is the victim, the CPU that it waits for may be innocent.`,
    );
  if (typeof fields.idleCpu === "number") story.push(`CPU ${fields.idleCpu} was idle when it was asked for its stack.`);
  return story;
}

/** Taint that bears on a fault, in words; out-of-tree modules are told, not accused. */
const BEARING = new Set(["M", "B", "D", "F", "R", "L", "W"]);

function theSuspects(report: LogReport, { verdict, place }: Findings): string[] {
  const letters = report.taint === undefined || report.taint === "Not tainted" ? [] : report.taint.split(/\s+/).join("").split("");
  const count = Number(report.fields.count ?? 0);
  const told = TAINT_FLAGS.filter(({ letter }) => BEARING.has(letter) && letters.includes(letter));
  const story = told.length === 0 ? [] : [`Before this, ${told.map(({ meaning }) => meaning.replace(/ before$/, "")).join("; ")}.`];
  if (count > 1) story.push(`It is oops number ${count} of this boot: the first one is to be looked at, this one may follow from it.`);
  const foreign = report.modules.filter((name) => /\([A-Z]*[OP][A-Z]*[+-]?\)$/.test(name)).map((name) => name.replace(/\(.*$/, ""));
  const memory = ["wild-pointer", "use-after-free", "out-of-bounds", "list-corruption", "overwritten-pointer", "wild-call"];
  if (foreign.length === 0 || !memory.includes(verdict.class)) return story;
  const named = new Set([place.module, ...report.traces.flatMap(({ frames }) => frames.map(({ module }) => module))]);
  const seen = foreign.filter((name) => named.has(name));
  const list = foreign.slice(0, 6).join(", ") + (foreign.length > 6 ? ` and ${foreign.length - 6} more` : "");
  story.push(
    seen.length > 0
      ? `${seen.join(", ")} ${seen.length === 1 ? "is an out-of-tree module" : "are out-of-tree modules"} and stand${seen.length === 1 ? "s" : ""} in the trace.`
      : `${list}: loaded from out of tree, not in the trace. Hooks and callbacks of such a module may have had the object before; the text cannot tell.`,
  );
  return story;
}
