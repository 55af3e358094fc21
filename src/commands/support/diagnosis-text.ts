/** A diagnosis for people, one screen: the verdict, the story, the stack, the evidence with the commands that show it, what was ruled out. */
import { hex16, virtual } from "../../bytes/address.ts";
import { CLASS_WORDS, headline } from "../../diagnosis/class-words.ts";
import type { Alternative, Check, Diagnosis, Evidence, Participant, VerdictFrame } from "../../diagnosis/verdict.ts";
import { broken, oneLine, proseWidth, wrapped } from "./prose.ts";

const SHOWN_FRAMES = 10;
const SHOWN_PARTICIPANTS = 8;
/** Claims up to this length have their command beside them, longer ones below. */
const MAX_CLAIM = 64;

export interface DiagnosisTextOptions {
  /** All hypotheses and all frames. */
  readonly verbose: boolean;
  /** Columns of the screen that it is read on; absent in files and pipes. */
  readonly columns?: number | undefined;
}

/** Lines without line ends, whatever the dump has in its names. */
export function* diagnosisLines(diagnosis: Diagnosis, options: DiagnosisTextOptions): Iterable<string> {
  for (const line of linesOf(diagnosis, options)) yield oneLine(line);
}

function* linesOf(diagnosis: Diagnosis, { verbose, columns }: DiagnosisTextOptions): Iterable<string> {
  const { verdict, story, evidence, alternatives, signature, frames, context } = diagnosis;
  const width = proseWidth(columns);
  const first = `${headline(verdict)}    confidence: ${verdict.confidence}`;
  // In a file it is one line, to be found by grep.
  if (columns === undefined || first.length < columns) yield first;
  else yield* [...broken(headline(verdict), width), `    confidence: ${verdict.confidence}`];
  if (story.length > 0) yield "";
  for (const line of story) yield* wrapped(line, "  ", width);
  // The story names those that matter; the others are told behind it.
  const told = story.join(" ");
  const participants = verdict.participants ?? [];
  yield* participantLines(
    verbose ? participants : participants.filter(({ comm }) => comm === undefined || !told.includes(comm)),
    verbose,
    width,
  );
  // The scene of a fault says whose stack it is; of several that wait it would not be known.
  const whose = participants.length > 0 && diagnosis.subject.comm !== undefined ? diagnosis.subject : undefined;
  yield* frameLines(frames, verbose, whose === undefined ? undefined : `Stack of ${whose.comm} (${whose.pid ?? "?"})`);
  yield* objectLines(diagnosis, width);
  yield* evidenceLines(evidence, width);
  if (verbose) yield* checkLines(verdict.checks ?? [], width);
  yield* alternativeLines(alternatives, verbose, width);
  if (verbose && context.considered !== undefined && context.considered.length > 0)
    yield* wrapped(`No sign of ${context.considered.join(", ")}`, "  ", width);
  const noted = [...(context.taint === undefined ? [] : [`the kernel is tainted: ${context.taint}`]), ...context.notes];
  if (noted.length > 0) yield "  Also noted";
  for (const note of noted) yield* wrapped(note, "     ", width);
  yield `  Signature  ${signature.text}   ${signature.hash}`;
}

/** "f+0x37 [module]   file.c:12", the guilty one marked. */
export function frameLine(frame: VerdictFrame): string {
  const offset = frame.offset === undefined ? "" : `+0x${frame.offset.toString(16)}`;
  const module = frame.module === undefined ? "" : ` [${frame.module}]`;
  const place = frame.file === undefined ? "" : `   ${frame.file}:${frame.line ?? "?"}`;
  const doubt = frame.doubtful === true ? "? " : "";
  const inlined = frame.inlined === true ? " (inlined)" : "";
  return `  ${frame.guilty === true ? ">" : " "}  ${doubt}${frame.function ?? "?"}${offset}${module}${inlined}${place}`;
}

function* frameLines(frames: readonly VerdictFrame[], verbose: boolean, head: string | undefined): Iterable<string> {
  if (frames.length === 0) return;
  const guilty = Math.max(
    0,
    frames.findIndex((frame) => frame.guilty === true),
  );
  // The machinery in front of the guilty frame says how the report came to be, not what was wrong.
  const from = verbose || guilty < SHOWN_FRAMES / 2 ? 0 : guilty - 1;
  const shown = verbose ? frames : frames.slice(from, from + SHOWN_FRAMES);
  yield "";
  if (head !== undefined) yield `  ${head}`;
  for (const frame of shown) yield frameLine(frame);
  if (shown.length < frames.length) yield `     (${frames.length - shown.length} more: bt)`;
}

function* objectLines({ verdict: { object } }: Diagnosis, width: number): Iterable<string> {
  if (object === undefined) return;
  const what = object.type === undefined ? "an object" : object.member === undefined ? object.type : `${object.type}.${object.member}`;
  const shared = object.sharesPlaceWith === undefined ? "" : ` (in a union with ${object.sharesPlaceWith.join(", ")})`;
  const at = object.address === undefined || object.address === 0n ? "" : ` at ${hex16(virtual(object.address))}`;
  const rest = [
    ...(object.cache === undefined ? [] : [`slab cache ${object.cache}`]),
    ...(object.state === undefined ? [] : [object.state]),
  ];
  if (object.type === undefined && at === "" && rest.length === 0) return;
  yield "";
  yield* wrapped(`Object     ${what}${shared}${at}${rest.length === 0 ? "" : `, ${rest.join(", ")}`}`, "  ", width);
}

function* evidenceLines(evidence: readonly Evidence[], width: number): Iterable<string> {
  if (evidence.length === 0) return;
  yield "";
  yield "  Evidence";
  const fitting = evidence.map(({ claim }) => claim.length).filter((length) => length <= MAX_CLAIM);
  const column = Math.max(0, ...fitting);
  for (const [index, { claim, command }] of evidence.entries()) {
    const number = `   ${index + 1} `.padStart(6);
    if (claim.length <= MAX_CLAIM && number.length + column + 3 + command.length <= width)
      yield `${number}${claim.padEnd(column)}   ${command}`;
    else {
      const [first = "", ...others] = broken(claim, width - number.length);
      yield `${number}${first}`;
      for (const other of others) yield `${" ".repeat(number.length)}${other}`;
      yield `${" ".repeat(number.length + 4)}${command}`;
    }
  }
}

const RESULTS: Readonly<Record<Check["result"], string>> = { held: "held     ", refuted: "refuted  ", "not possible": "not made " };

function* checkLines(checks: readonly Check[], width: number): Iterable<string> {
  if (checks.length > 0) yield "  Checks that could have refuted it";
  for (const { what, result } of checks) yield* wrapped(`${RESULTS[result]}${what}`, "     ", width);
}

function* alternativeLines(alternatives: readonly Alternative[], verbose: boolean, width: number): Iterable<string> {
  // Of a text, what speaks against a hypothesis may be no more than a doubt: it stands, then.
  const isRuledOut = ({ refutedBy, confidence }: Alternative): boolean => refutedBy !== undefined && confidence === "unknown";
  const refuted = alternatives.filter(isRuledOut);
  const seen = alternatives.filter(({ symptom }) => symptom === true);
  const standing = alternatives.filter((each) => !isRuledOut(each) && each.symptom === undefined);
  for (const each of verbose ? seen : seen.slice(0, 1)) yield* wrapped(`Seen as    ${CLASS_WORDS[each.class]}: ${each.title}`, "  ", width);
  if (standing.length > 0) yield verbose ? "  Other hypotheses" : "  Also possible";
  for (const each of verbose ? standing : standing.slice(0, 3)) {
    const against = each.refutedBy === undefined ? "" : ` (against it: ${each.refutedBy})`;
    yield* wrapped(`${CLASS_WORDS[each.class]} (${each.confidence}): ${each.title}${against}`, "     ", width);
  }
  if (refuted.length > 0) yield "  Ruled out";
  for (const each of verbose ? refuted : refuted.slice(0, 3)) {
    yield* wrapped(`${CLASS_WORDS[each.class]}: ${verbose ? `${each.title}; ` : ""}refuted: ${each.refutedBy ?? ""}`, "     ", width);
  }
}

function* participantLines(participants: readonly Participant[], verbose: boolean, width: number): Iterable<string> {
  if (participants.length === 0) return;
  yield "";
  const ordered = [...participants.filter(({ central }) => central === true), ...participants.filter(({ central }) => central !== true)];
  const shown = verbose ? ordered : ordered.slice(0, SHOWN_PARTICIPANTS);
  for (const each of shown) {
    const who = each.comm === undefined ? (each.cpu === undefined ? "someone" : `CPU ${each.cpu}`) : `${each.comm} (${each.pid ?? "?"})`;
    const age = each.blockedFor === undefined ? "" : `   blocked for ${Math.round(each.blockedFor)} s`;
    yield* wrapped(`${who} ${each.role}${age}`, "  ", width);
  }
  if (shown.length < ordered.length) yield `  (${ordered.length - shown.length} more: lock)`;
}
