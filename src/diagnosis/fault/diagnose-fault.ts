/**
 * Runs the detectors over a fault and orders what they found: what no check refutes before what one does, the more telling class before the
 * plainer one that would say the same of it (a poisoned pointer is a wild pointer too).
 */
import type { Kernel } from "../../kernel/kernel.ts";
import type { Alternative, Confidence, Evidence, Verdict, VerdictFrame } from "../verdict.ts";
import { confidenceOf, type Detector, type Finding } from "./detector.ts";
import { nullCall, wildCall } from "./detectors/calls.ts";
import { errorPointer } from "./detectors/error-pointer.ts";
import { listCorruption } from "./detectors/list-corruption.ts";
import { nullPointer } from "./detectors/null-pointer.ts";
import { stackOverflow } from "./detectors/stack-overflow.ts";
import { useAfterFree } from "./detectors/use-after-free.ts";
import { wildPointer } from "./detectors/wild-pointer.ts";
import { accessText, type FaultCase, faultCase, type NoFault, originText } from "./fault-case.ts";
import { guiltyLine, verdictFrames } from "./verdict-frames.ts";
import { plainName } from "./words.ts";

/** The most telling first. */
export const FAULT_DETECTORS: readonly Detector[] = [
  stackOverflow,
  useAfterFree,
  listCorruption,
  nullCall,
  errorPointer,
  nullPointer,
  wildCall,
  wildPointer,
];

const RANK: Readonly<Record<Confidence, number>> = { high: 0, likely: 1, possible: 2, unknown: 3 };

export interface FaultDiagnosis {
  readonly fault: FaultCase;
  readonly verdict: Verdict;
  readonly finding: Finding | undefined;
  readonly story: readonly string[];
  readonly evidence: readonly Evidence[];
  readonly alternatives: readonly Alternative[];
  /** From the faulting function outwards. */
  readonly frames: readonly VerdictFrame[];
}

/** What the fault was; a NoFault when the dump has none to look into. The machine's disassembler must have been loaded. */
export function diagnoseFault(kernel: Kernel): FaultDiagnosis | NoFault {
  const fault = faultCase(kernel);
  return "reason" in fault ? fault : judge(fault);
}

export function judge(fault: FaultCase): FaultDiagnosis {
  const findings = FAULT_DETECTORS.flatMap((detector) => detector.detect(fault) ?? []).map((finding) => ({
    finding,
    confidence: confidenceOf(finding),
  }));
  const standing = findings.filter(({ confidence }) => confidence !== "unknown").sort((a, b) => RANK[a.confidence] - RANK[b.confidence]);
  const [best] = standing;
  const frames = verdictFrames(fault);
  const others = findings.filter((each) => each !== best);
  return {
    fault,
    verdict: verdictOf(fault, frames, best?.finding, best?.confidence ?? "unknown"),
    finding: best?.finding,
    story: storyOf(fault, best?.finding),
    evidence: best?.finding.evidence ?? [],
    frames,
    alternatives: others.map(({ finding, confidence }) => {
      const refuted = finding.checks.filter(({ result }) => result === "refuted").map(({ what }) => what);
      return { class: finding.class, title: finding.title, confidence, ...(refuted.length === 0 ? {} : { refutedBy: refuted.join("; ") }) };
    }),
  };
}

function verdictOf(fault: FaultCase, frames: readonly VerdictFrame[], finding: Finding | undefined, confidence: Confidence): Verdict {
  const { guilty, path, access, subject } = fault;
  const origin = originText(fault);
  const title =
    finding?.title ?? (access.kind === "unknown" ? access.reason : (subject.event?.text ?? "nothing in the dump says what happened"));
  return {
    class: finding?.class ?? "unknown",
    title,
    confidence,
    function: plainName(guilty.function),
    ...(guilty.module === undefined ? {} : { module: guilty.module }),
    ...guiltyLine(fault, frames),
    ...(path === undefined ? {} : { access: path.access, address: path.address }),
    ...(finding?.object === undefined ? {} : { object: finding.object }),
    ...(origin === undefined ? {} : { origin }),
  };
}

function storyOf(fault: FaultCase, finding: Finding | undefined): readonly string[] {
  const { subject } = fault;
  const access = accessText(fault);
  const origin = originText(fault);
  const who =
    subject.task === undefined
      ? ""
      : `Task ${subject.task.pid} (${subject.task.comm})${subject.cpu === undefined ? "" : ` on CPU ${subject.cpu}`}: `;
  const lines: string[] = [];
  if (access !== undefined) lines.push(`${who}${access}${origin === undefined ? "" : `; ${origin}`}.`);
  else if (subject.event !== undefined) lines.push(`${who}${subject.event.text}.`);
  if (finding !== undefined) lines.push(...finding.story);
  if (subject.deliberate !== undefined) lines.push(`The dump was asked for later: ${subject.deliberate.text}.`);
  for (const { event, why } of subject.before.slice(0, 3)) lines.push(`Also in the log: ${event.text} (${why}).`);
  return lines;
}
