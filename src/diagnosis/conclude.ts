/**
 * From findings to one verdict. What stands is ordered by how sure it is and how far it lies behind what was seen: a cause that is likely
 * comes before the symptom that is certain, but a mere possibility never does. The rest is told among the alternatives.
 */
import type { DiagnosisContext } from "./context.ts";
import { type FaultPart, faultPart } from "./fault/fault-part.ts";
import { confidenceOf, type Depth, type Finding } from "./finding.ts";
import { raceParticipants } from "./race/participants.ts";
import { raceStory } from "./race/race-story.ts";
import { namesOf, signatureOf } from "./signature.ts";
import { storyOf } from "./story/story.ts";
import { oneName } from "./story/words.ts";
import type { Alternative, Confidence, Diagnosis, Sharer, Verdict } from "./verdict.ts";

const SURE: Readonly<Record<Confidence, number>> = { high: 2, likely: 1.2, possible: -0.5, unknown: Number.NEGATIVE_INFINITY };
const BEHIND: Readonly<Record<Depth, number>> = { symptom: 0, mechanism: 1, cause: 2 };

interface Weighed {
  readonly finding: Finding;
  readonly confidence: Confidence;
  readonly weight: number;
}

/** All but the context, which belongs to the dump and not to the conclusion. */
export type Conclusion = Omit<Diagnosis, "context">;

/** The verdict over what the detectors found, in the registry's order. @param sharers who else had the objects of the fault in hand @param silent detectors that found nothing */
export function conclude(
  context: DiagnosisContext,
  findings: readonly Finding[],
  sharers: readonly Sharer[] = [],
  silent: readonly string[] = [],
): Conclusion {
  const { subject } = context;
  const found = context.fault();
  const fault = "reason" in found ? undefined : faultPart(found);
  const weighed = findings.map((finding): Weighed => {
    const confidence = confidenceOf(finding);
    return { finding, confidence, weight: SURE[confidence] + BEHIND[finding.depth ?? "symptom"] };
  });
  const [best] = weighed.filter((each) => stands(each, context)).sort((a, b) => b.weight - a.weight);
  const concluded = verdictOf(context, best, fault);
  const racing =
    "reason" in found || concluded.participants !== undefined || best?.finding.place !== undefined
      ? undefined
      : raceParticipants(found, concluded.class, sharers);
  const verdict = racing === undefined ? concluded : { ...concluded, participants: racing };
  const frames = best?.finding.frames ?? fault?.frames ?? [];
  const { cpu, pid, comm } = { ...subjectTask(context), ...best?.finding.subject };
  const { object } = verdict;
  const named = best?.finding.namedBy;
  const member = object?.type !== undefined && object.member !== undefined ? `${bare(object.type)}.${object.member}` : undefined;
  return {
    verdict,
    subject: {
      event: subject.event?.text ?? "nothing in the log says what happened",
      ...(subject.event?.time === undefined ? {} : { time: subject.event.time }),
      ...(cpu === undefined ? {} : { cpu }),
      ...(pid === undefined ? {} : { pid }),
      ...(comm === undefined ? {} : { comm }),
    },
    story: storyOf({
      context,
      verdict,
      finding: best?.finding,
      confidence: verdict.confidence,
      fault: "reason" in found ? undefined : found,
      frames,
      sharers: raceStory(sharers, verdict.function),
      silent,
    }),
    evidence: best?.finding.evidence ?? [],
    alternatives: weighed.filter((each) => each !== best).map((each) => alternativeOf(each, best)),
    signature:
      named === undefined
        ? signatureOf(verdict.class, namesOf(frames, verdict.function, object?.cache), member, verdict.module)
        : signatureOf(verdict.class, named.functions, named.member),
    frames,
  };
}

/** Where nothing abnormal was reported, a mere possibility accuses nobody. */
function stands({ confidence }: Weighed, { subject }: DiagnosisContext): boolean {
  if (confidence === "unknown") return false;
  const abnormal = subject.event !== undefined && subject.event.family !== "deliberate";
  return abnormal || confidence !== "possible";
}

function subjectTask({ subject }: DiagnosisContext) {
  const { task, cpu } = subject;
  return { ...(cpu === undefined ? {} : { cpu }), ...(task === undefined ? {} : { pid: task.pid, comm: task.comm }) };
}

function verdictOf({ subject }: DiagnosisContext, best: Weighed | undefined, fault: FaultPart | undefined): Verdict {
  if (best === undefined) {
    const title = fault?.doubt ?? subject.event?.text ?? "nothing in the dump says what happened";
    return { class: "unknown", title, confidence: "unknown", ...fault?.verdict };
  }
  const { finding, confidence } = best;
  // A place of its own comes without the fault's line, which is that of another function.
  const { function: name, module, file, line, ...accessed } = fault?.verdict ?? {};
  const place = finding.place ?? {
    ...(name === undefined ? {} : { function: name }),
    ...(module === undefined ? {} : { module }),
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
  };
  return {
    class: finding.class,
    title: oneName(finding.title),
    confidence,
    ...place,
    ...accessed,
    ...(finding.access === undefined ? {} : { access: finding.access }),
    ...(finding.address === undefined ? {} : { address: finding.address }),
    ...(finding.object === undefined ? {} : { object: oneMember(finding.object) }),
    ...(finding.origin === undefined ? {} : { origin: finding.origin }),
    ...(finding.participants === undefined ? {} : { participants: finding.participants }),
    checks: finding.checks,
  };
}

function alternativeOf({ finding, confidence }: Weighed, best: Weighed | undefined): Alternative {
  const behind = (each: Finding) => BEHIND[each.depth ?? "symptom"];
  // Of another place it would be another trouble.
  const isSymptom = best !== undefined && behind(finding) < behind(best.finding) && finding.place === undefined && confidence !== "unknown";
  const refuted = finding.checks.filter(({ result }) => result === "refuted").map(({ what }) => what);
  return {
    class: finding.class,
    title: oneName(finding.title),
    confidence,
    ...(refuted.length === 0 ? {} : { refutedBy: refuted.join("; ") }),
    ...(isSymptom ? { symptom: true as const } : {}),
  };
}

/** Of the members of a union, "prev|rbnode.rb_right", the first is what the structure is mostly used by; the others are told beside it. */
function oneMember(object: NonNullable<Verdict["object"]>): NonNullable<Verdict["object"]> {
  const [member, ...others] = object.member?.split("|") ?? [];
  return member === undefined || others.length === 0 ? object : { ...object, member, sharesPlaceWith: others };
}

/** "tun_struct" of "struct tun_struct". */
function bare(type: string): string {
  return type.replace(/^(?:struct|union|enum) /, "");
}
