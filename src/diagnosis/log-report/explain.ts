/**
 * A report in text → a diagnosis: verdict, story, evidence, signature, in the same shape as `analyze` gives for a dump.
 *
 * Text alone is weaker than a dump: what the kernel printed is taken as observed, what follows from it is said so, and a damaged report
 * lowers the confidence.
 */
import type { Disassembler } from "../../arch/disassembler.ts";
import { CLASS_WORDS } from "../class-words.ts";
import { signatureOf } from "../signature.ts";
import type { Access, Confidence, Diagnosis, Evidence, Verdict, VerdictClass, VerdictFrame } from "../verdict.ts";
import { classOf, isPoison } from "./classify.ts";
import { type FaultingInstruction, faultingInstruction } from "./faulting-instruction.ts";
import { isPassedOver } from "./passed-over.ts";
import { mainTrace, type Place, placeOf } from "./place.ts";
import type { LogReport } from "./report.ts";

/** `disassembler`: of the report's machine, to read its "Code:" bytes; without one the instruction is not told. */
export function explainReport(given: LogReport, disassembler?: Disassembler): Diagnosis {
  const instruction = disassembler === undefined ? undefined : faultingInstruction(given, disassembler);
  const report = withOperand(given, instruction);
  const place = placeOf(report);
  const verdictClass = classOf(report);
  const access = accessOf(report);
  const object = objectOf(report);
  const { fields } = report;
  const file = typeof fields.file === "string" ? fields.file : place.frames[place.index]?.file;
  const line = typeof fields.line === "number" ? fields.line : place.frames[place.index]?.line;
  const module = place.module ?? report.pc?.module;
  const verdict: Verdict = {
    class: verdictClass,
    title: titleOf(report, verdictClass, place),
    confidence: confidenceOf(report, verdictClass, place),
    ...(place.function === undefined ? {} : { function: place.function }),
    ...(module === undefined ? {} : { module }),
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(access === undefined ? {} : { access }),
    ...(report.faultAddress === undefined ? {} : { address: report.faultAddress }),
    ...(object === undefined ? {} : { object }),
  };
  const callers = place.frames
    .slice(place.index + 1)
    .filter((frame) => frame.doubtful !== true && frame.inlined !== true && frame.function !== undefined && !isPassedOver(frame.function));
  const meaningful = callers.map((frame) => frame.function ?? "");
  const { comm, pid, cpu, first } = report;
  return {
    verdict,
    subject: {
      event: report.head,
      ...(first.time === undefined ? {} : { time: first.time }),
      ...(cpu === undefined ? {} : { cpu }),
      ...(pid === undefined ? {} : { pid }),
      ...(comm === undefined ? {} : { comm }),
    },
    story: storyOf(report, verdict, place, meaningful, instruction),
    evidence: evidenceOf(report, place),
    alternatives: [],
    signature: signatureOf(verdictClass, place.function === undefined ? [] : [place.function, ...meaningful]),
    frames: framesOf(report, place),
    context: {
      ...(report.release === undefined ? {} : { release: report.release }),
      ...(report.machine === undefined ? {} : { machine: report.machine }),
      ...(report.taint === undefined ? {} : { taint: report.taint }),
      ...(report.hardware === undefined ? {} : { hardware: report.hardware }),
      notes: report.damage,
    },
  };
}

/** What the kernel did not print and the instruction tells: the address of a general protection fault, read or write, how much. */
function withOperand(report: LogReport, instruction: FaultingInstruction | undefined): LogReport {
  const operand = instruction?.operand;
  if (operand === undefined || report.family !== "oops") return report;
  // KASAN's own check failed: the shadow of an address that is no kernel memory (KASAN_SHADOW_OFFSET of x86-64, 8 bytes a shadow byte).
  const shadow = operand.address - 0xdffffc00_00000000n;
  const meant =
    shadow >= 0n && shadow < 1n << 58n && report.machine === "x86_64" && report.fields.rangeStart === undefined ? shadow << 3n : undefined;
  const range =
    meant === undefined
      ? {}
      : { rangeStart: meant, rangeEnd: meant + 7n, shadowKind: meant < 4096n ? "null-ptr-deref" : "wild-memory-access" };
  return {
    ...report,
    faultAddress: report.faultAddress ?? operand.address,
    fields: {
      ...report.fields,
      ...range,
      access: report.fields.access ?? operand.access,
      ...(operand.size > 0 ? { size: operand.size } : {}),
    },
  };
}

function accessOf(report: LogReport): Access | undefined {
  const kind = report.fields.access;
  if (kind !== "read" && kind !== "write" && kind !== "execute" && kind !== "free") return undefined;
  return typeof report.fields.size === "number" ? { kind, size: report.fields.size } : { kind };
}

function objectOf(report: LogReport): Verdict["object"] {
  const { object, cache, objectState, regionSize, distance, side, variable } = report.fields;
  const found: { address?: bigint; cache?: string; state?: string; type?: string } = {};
  if (typeof object === "bigint") found.address = object;
  if (typeof cache === "string" && cache !== "") found.cache = cache;
  const freed = report.traces.some(({ name, frames }) => name === "Freed" && frames.length > 0);
  const size = typeof regionSize === "number" ? `${regionSize} bytes` : undefined;
  const where = typeof distance === "number" && typeof side === "string" ? `${distance} bytes ${side} it` : undefined;
  const parts = [
    typeof objectState === "string" ? objectState : freed && /use-after-free/.test(String(report.fields.kind)) ? "freed" : undefined,
    size,
    where,
  ].filter((part) => part !== undefined);
  if (parts.length > 0) found.state = parts.join(", ");
  if (typeof variable === "string" && variable !== "") found.type = `variable ${variable.split("+")[0]}`;
  return Object.keys(found).length === 0 ? undefined : found;
}

/** A class that the kernel itself checked is certain; one that follows from an address alone is likely. */
const CHECKED: ReadonlySet<VerdictClass> = new Set([
  "use-after-free",
  "double-free",
  "bad-free",
  "out-of-bounds",
  "uninitialised-value",
  "data-race",
  "undefined-behaviour",
  "stack-overflow",
  "stack-corruption",
  "refcount-underflow",
  "refcount-overflow",
  "divide-error",
  "bug-assertion",
  "warning-panic",
  "locking-rule",
  "atomic-sleep",
  "list-corruption",
  "hung-task",
  "soft-lockup",
  "hard-lockup",
  "rcu-stall",
  "workqueue-stall",
  "out-of-memory",
  "oom-of-container",
  "hardware-error",
  "null-pointer-dereference",
  "deliberate",
  "deadlock",
  "self-deadlock",
]);

function confidenceOf(report: LogReport, verdict: VerdictClass, place: Place): Confidence {
  if (verdict === "unknown") return "unknown";
  if (report.damage.length > 0) return place.function === undefined ? "possible" : "likely";
  if (
    place.function === undefined &&
    !["out-of-memory", "oom-of-container", "hardware-error", "init-killed", "deliberate"].includes(verdict)
  )
    return "possible";
  // The place where a loop was interrupted, and who leaks, are chosen, not observed.
  if (["soft-lockup", "hard-lockup", "rcu-stall", "memory-leak", "deadlock"].includes(verdict)) return "likely";
  return CHECKED.has(verdict) ? "high" : "likely";
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function titleOf(report: LogReport, verdict: VerdictClass, place: Place): string {
  const { fields, faultAddress, comm, pid } = report;
  const name = place.function === undefined ? undefined : `${place.function}${place.module === undefined ? "" : ` [${place.module}]`}`;
  const words = CLASS_WORDS[verdict];
  const access = accessOf(report);
  const who = comm === undefined ? "a task" : `${comm} (${pid ?? "?"})`;
  if (report.family === "hung-task")
    return `${who} waits${name === undefined ? "" : ` in ${name}`} for more than ${String(fields.seconds ?? "?")} s`;
  if (report.family === "soft-lockup" || report.family === "hard-lockup" || report.family === "rcu-stall")
    return `${words}: ${name ?? "the kernel"} runs too long${fields.cpu === undefined ? "" : ` on CPU ${String(fields.cpu)}`}`;
  if (report.family === "kcsan")
    return `data race between ${String(fields.first ?? "?")} and ${String(fields.second ?? "an unknown writer")}`;
  if (report.family === "oom") return `${words}: ${String(fields.victim ?? "no process")} was killed, asked for by ${who}`;
  if (report.family === "warning" || verdict === "bug-assertion") {
    const what = typeof fields.text === "string" ? `: ${fields.text}` : typeof fields.condition === "string" ? `: ${fields.condition}` : "";
    return `${words} in ${name ?? "an unknown function"}${typeof fields.file === "string" ? ` (${fields.file}:${String(fields.line)})` : ""}${what}`;
  }
  if (report.family === "panic") return `panic${name === undefined ? "" : ` by ${name}`}: ${String(fields.text ?? "")}`;
  if (access !== undefined && access.kind !== "free" && name !== undefined) {
    const size = access.size === undefined ? "" : ` ${access.size} byte${access.size === 1 ? "" : "s"}`;
    const at = faultAddress === undefined ? "" : ` at ${hex(faultAddress)}`;
    return `${words}: ${name} ${access.kind}s${size}${at}`;
  }
  return `${words}${name === undefined ? "" : ` in ${name}`}${typeof fields.detail === "string" ? `: ${fields.detail}` : ""}`;
}

function storyOf(
  report: LogReport,
  verdict: Verdict,
  place: Place,
  callers: readonly string[],
  instruction: FaultingInstruction | undefined,
): string[] {
  const { fields, comm, pid, cpu, faultAddress } = report;
  const story: string[] = [];
  const task = comm === undefined ? "" : ` in task ${comm}${pid === undefined ? "" : ` (${pid})`}`;
  const on = cpu === undefined ? "" : ` on CPU ${cpu}`;
  if (place.function !== undefined)
    story.push(
      `${place.function}${callers.length === 0 ? "" : `, called by ${callers.slice(0, 2).join(" from ")},`} ${report.family === "hung-task" ? "is waiting" : "was running"}${task}${on}.`,
    );
  else story.push(`The report does not tell where it happened${task}${on}.`);
  const pc = report.pc?.function;
  if (report.family === "oops" && pc !== undefined && place.function !== undefined && pc !== place.function) {
    story.push(`The fault itself was in ${pc}, which does what its caller asks.`);
  }
  if (instruction !== undefined) {
    const { text, operand } = instruction;
    const held = operand?.registers.map(({ name, value }) => `${name} = ${hex(value)}`).join(", ");
    const size = operand === undefined || operand.size === 0 ? "" : ` ${operand.size} byte${operand.size === 1 ? "" : "s"}`;
    story.push(
      operand === undefined
        ? `The instruction is ${text}.`
        : `The instruction ${text} ${operand.access}s${size} at ${operand.formula}, with ${held}.`,
    );
  }
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
  if (verdict.object?.cache !== undefined)
    story.push(
      `The object lies in slab cache ${verdict.object.cache}${verdict.object.state === undefined ? "" : ` (${verdict.object.state})`}.`,
    );
  if (verdict.object?.type !== undefined) story.push(`It is ${verdict.object.type}.`);
  // A trace with holes names whoever stands behind the hole.
  const whole = !report.damage.some((reason) => /missing: the kernel dropped|mixed in/.test(reason));
  for (const name of whole ? (["Allocated", "Freed"] as const) : []) {
    const trace = report.traces.find((each) => each.name === name && each.frames.length > 0);
    const by = trace?.frames.find((frame) => frame.function !== undefined && frame.inlined !== true && !isPassedOver(frame.function));
    if (by?.function !== undefined)
      story.push(`It was ${name.toLowerCase()} by ${by.function}${trace?.pid === undefined ? "" : ` in task ${trace.pid}`}.`);
  }
  if (typeof fields.shadowMeaning === "string") story.push(`The shadow byte of the address means: ${fields.shadowMeaning}.`);
  if (typeof fields.lock === "string")
    story.push(
      `The lock is ${fields.lock}${typeof fields.held === "string" ? `, taken while ${fields.held} is held` : ""}${typeof fields.owner === "string" ? `, likely owned by ${fields.owner} (${String(fields.ownerPid)})` : ""}.`,
    );
  if (typeof fields.starved === "number")
    story.push(
      `The RCU grace-period thread itself did not run for ${fields.starved} jiffies: it is the victim, the named CPU may be innocent.`,
    );
  for (const reason of report.damage) story.push(`Not whole: ${reason}.`);
  return story;
}

function evidenceOf(report: LogReport, place: Place): Evidence[] {
  const evidence: Evidence[] = [];
  const cite = (claim: string, pattern: RegExp | string): void => {
    const line = report.lines.find(({ text }) => (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text)));
    if (line !== undefined) evidence.push({ claim, command: `line ${line.number}: ${line.text.trim()}`, values: [] });
  };
  const { first } = report;
  evidence.push({ claim: "the first line of the report", command: `line ${first.number}: ${report.head}`, values: [] });
  if (place.function !== undefined) cite(`${place.function} is in the trace`, `${place.function}+0x`);
  cite("the access", /(?:Read|Write) of size|#PF: |ESR = |Free of addr/);
  cite("the error code", /\[#\d+\]/);
  cite("the object", /belongs to the (?:object|cache)|-byte region/);
  cite("who frees it", /^Freed by/);
  return evidence.slice(0, 6);
}

function framesOf(report: LogReport, place: Place): VerdictFrame[] {
  let frames = place.frames.length > 0 ? place.frames : (mainTrace(report)?.frames ?? []);
  const { pc } = report;
  // A fault is not in its own trace: the pc stands above it.
  if (place.index < 0 && pc?.function !== undefined && pc.function === place.function) {
    return [
      { ...pc, guilty: true as const },
      ...frames.filter(({ function: name }) => name !== undefined && !isPassedOver(name, ["reporting", "exception"])).slice(0, 63),
    ];
  }
  if (place.index < 0)
    frames = frames.slice(
      Math.max(
        0,
        frames.findIndex(({ function: name }) => name !== undefined && !isPassedOver(name, ["reporting"])),
      ),
    );
  return frames.slice(0, 64).map((frame, index) => (index === place.index ? { ...frame, guilty: true as const } : frame));
}
