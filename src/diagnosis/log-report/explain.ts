/**
 * A report in text → a diagnosis: verdict, story, evidence, signature, in the same shape as `analyze` gives for a dump.
 *
 * Text alone is weaker than a dump: what the kernel printed is taken as observed, what follows from it is said so, and a damaged report
 * lowers the confidence.
 */
import type { Disassembler } from "../../arch/disassembler.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { callersOfNote } from "../how-it-came-there.ts";
import { signatureOf } from "../signature.ts";
import type { Confidence, Diagnosis, Verdict, VerdictClass, VerdictFrame } from "../verdict.ts";
import { alternativesOf } from "./alternatives.ts";
import { classOf } from "./classify.ts";
import { codeOrigin } from "./code-origin.ts";
import { evidenceOf } from "./evidence.ts";
import { type FaultingInstruction, faultingInstruction } from "./faulting-instruction.ts";
import { isPassedOver, TRACE_TOOLS } from "./passed-over.ts";
import { placeOf } from "./place.ts";
import type { LogReport } from "./report.ts";
import { storyOf } from "./story.ts";
import { symbolised, type TouchedMember, touchedMember } from "./symbolise.ts";
import { accessOf, titleOf } from "./title.ts";
import { mainTrace, type Place } from "./trace-place.ts";

/**
 * @param disassembler of the report's machine, to read its "Code:" bytes; without one the instruction is not told
 * @param kernel what the report comes from (a vmlinux or a dump): lines, inlined frames, the member that was touched
 */
export function explainReport(given: LogReport, disassembler?: Disassembler, kernel?: Kernel): Diagnosis {
  const instruction = disassembler === undefined ? undefined : faultingInstruction(given, disassembler);
  const plain = withOperand(given, instruction);
  const report = kernel === undefined ? plain : symbolised(kernel, plain);
  const place = placeOf(report);
  const verdictClass = classOf(report);
  const bases = instruction?.operand?.registers.map(({ name }) => name);
  const faults = report.family === "oops" && place.function !== undefined && place.function === report.pc?.function;
  const touched = kernel === undefined || !faults ? undefined : touchedMember(kernel, report, bases);
  const [base] = bases ?? [];
  const origin =
    disassembler === undefined || base === undefined || verdictClass === "null-pointer-dereference"
      ? undefined
      : codeOrigin(report, disassembler, base);
  const access = accessOf(report);
  const object = objectOf(report, touched);
  const { fields } = report;
  const shown = place.index >= 0 ? place.frames[place.index] : report.pc?.function === place.function ? report.pc : undefined;
  const file = typeof fields.file === "string" ? fields.file : shown?.file;
  const line = typeof fields.line === "number" ? fields.line : shown?.line;
  const module = place.module ?? report.pc?.module;
  const verdict: Verdict = {
    class: verdictClass,
    title: titleOf(report, verdictClass, place, touched),
    confidence: confidenceOf(report, verdictClass, place),
    ...(place.function === undefined ? {} : { function: place.function }),
    ...(module === undefined ? {} : { module }),
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(access === undefined ? {} : { access }),
    ...(report.faultAddress === undefined ? {} : { address: report.faultAddress }),
    ...(object === undefined ? {} : { object }),
    ...(touched?.origin !== undefined
      ? { origin: touched.origin }
      : origin === undefined
        ? {}
        : { origin: `loaded from ${origin.formula}${origin.address === undefined ? "" : ` at 0x${origin.address.toString(16)}`}` }),
  };
  const callers = place.frames
    .slice(place.index + 1)
    .filter((frame) => frame.doubtful !== true && frame.inlined !== true && frame.function !== undefined && !isPassedOver(frame.function));
  const meaningful = callers.map((frame) => frame.function ?? "");
  const { comm, pid, cpu, first } = report;
  const member = touched === undefined ? undefined : `${touched.container.replace(/^\w+ /, "")}.${touched.member}`;
  return {
    verdict,
    subject: {
      event: report.head,
      ...(first.time === undefined ? {} : { time: first.time }),
      ...(cpu === undefined ? {} : { cpu }),
      ...(pid === undefined ? {} : { pid }),
      ...(comm === undefined ? {} : { comm }),
    },
    story: storyOf(report, { verdict, place, callers: meaningful, instruction, codeOrigin: origin, touched }),
    evidence: evidenceOf(report, place),
    alternatives: alternativesOf(report, verdictClass),
    signature: signatureOf(
      verdictClass,
      place.function === undefined ? [] : [...new Set([place.function, ...callersOfNote(meaningful)])],
      member,
      place.module,
    ),
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
      ...(operand.registers.length === 1 && operand.registers[0]?.value === 0n ? { nullBase: 1 } : {}),
      ...(operand.size > 0 ? { size: operand.size } : {}),
    },
  };
}

function objectOf(report: LogReport, touched: TouchedMember | undefined): Verdict["object"] {
  const { object, cache, objectState, regionSize, distance, side, variable } = report.fields;
  const found: { address?: bigint; cache?: string; state?: string; type?: string; member?: string } = {};
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
  if (touched !== undefined) {
    found.type = touched.container;
    found.member = touched.member;
  }
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
  // A tool is named only when nothing else is left of the trace.
  if (report.damage.length > 0) return place.function === undefined || isPassedOver(place.function, TRACE_TOOLS) ? "possible" : "likely";
  if (
    place.function === undefined &&
    !["out-of-memory", "oom-of-container", "hardware-error", "init-killed", "filesystem-panic", "deliberate"].includes(verdict)
  )
    return "possible";
  // The place where a loop was interrupted, and who leaks, are chosen, not observed.
  if (["soft-lockup", "hard-lockup", "rcu-stall", "memory-leak", "deadlock"].includes(verdict)) return "likely";
  return CHECKED.has(verdict) ? "high" : "likely";
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
