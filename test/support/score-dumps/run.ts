/** Diagnoses dumps of the lab and judges what is said: cases as they are, their variants, and mutations of healthy ones. */
import { existsSync, readFileSync } from "node:fs";
import type { CachedCase } from "../../../lab/case-record.ts";
import { truthOf } from "../../../lab/truth.ts";
import { viewsOf } from "../../../lab/views-truth.ts";
import { InquestError } from "../../../src/bytes/errors.ts";
import { createSession } from "../../../src/commands/session.ts";
import type { VtopResult } from "../../../src/commands/vtop.ts";
import { diagnose } from "../../../src/diagnosis/diagnose.ts";
import type { Diagnosis } from "../../../src/diagnosis/verdict.ts";
import type { Dump } from "../../../src/dump/dump.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { OpenOptions } from "../../../src/kernel/open.ts";
import { emptiedLog } from "./emptied-log.ts";
import { checkEvidence, type EvidenceScore } from "./evidence.ts";
import { type Judgement, judge } from "./judge.ts";
import { isHealthy, labelOf, type ScoreLabel } from "./labels.ts";
import { leftOutByLevel31 } from "./left-out.ts";
import { mutationsOf } from "./mutations.ts";
import { described, kernelIn, openLabDump, scoredDump } from "./open-case.ts";
import { type Edit, hollowDump, overlaidDump } from "./overlay.ts";
import { PlainElf } from "./plain-elf.ts";
import { PlainKdump } from "./plain-kdump.ts";
import { type PlainFile, SecondReader } from "./second-reader.ts";

export const VARIANTS = ["plain", "dwarf", "d31", "nolog"] as const;
export type Variant = (typeof VARIANTS)[number];

export interface Row {
  readonly case: string;
  /** fault: something is wrong with it; healthy: nothing is; mutated, harmless: edits of a healthy one. */
  readonly group: "fault" | "healthy" | "mutated" | "harmless";
  readonly variant: Variant;
  /** Of a mutation: its kind and what was done. */
  readonly kind?: string;
  readonly what?: string;
  readonly label: ScoreLabel;
  /** undefined: the diagnosis itself failed. */
  readonly found: Diagnosis | undefined;
  readonly error?: string;
  readonly judgement: Judgement;
  /** Whether the dump, with its debug files when they are given, has the type of the label's member: without it nobody can name the member. */
  readonly typed: boolean;
  readonly evidence: EvidenceScore;
  /** Milliseconds beyond opening, by the clock and of the processor. */
  readonly elapsed: number;
  readonly busy: number;
}

interface Asked {
  readonly case: string;
  readonly group: Row["group"];
  readonly variant: Variant;
  readonly kind?: string;
  readonly what?: string;
}

const NOTHING_RIGHT: Judgement = { class: false, best: false };

/** One diagnosis, judged. `edits` are those that the dump of the kernel has. */
function score(asked: Asked, open: () => Kernel, label: ScoreLabel, plain: PlainFile | undefined, edits: readonly Edit[]): Row {
  let elapsed = 0;
  let busy = 0;
  try {
    const kernel = open();
    const start = performance.now();
    const cpu = process.cpuUsage();
    const found = diagnose(kernel);
    elapsed = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    busy = (user + system) / 1000;
    const session = createSession(kernel);
    const reader = new SecondReader(kernel, plain, edits, (address) => {
      const { result } = session.execute(`vtop ${address.toString(16)}`);
      return (result as VtopResult).addresses[0]?.physical;
    });
    const evidence = checkEvidence(session, reader, found);
    return { ...asked, label, found, judgement: judge(found, label), typed: hasType(kernel, label), evidence, elapsed, busy };
  } catch (error) {
    // Whatever it is, it is a miss and must be seen; the score goes on.
    const text = error instanceof InquestError ? error.message : String((error as Error).stack);
    return {
      ...asked,
      label,
      found: undefined,
      error: text,
      judgement: NOTHING_RIGHT,
      typed: true,
      evidence: { values: 0, commands: 0, wrong: [] },
      elapsed,
      busy,
    };
  }
}

/** Debian's 5.10 and its arm64 6.1 give modules no BTF; nor does every third party. */
function hasType(kernel: Kernel, { member }: ScoreLabel): boolean {
  const type = member?.[0]?.split(".")[0];
  return type !== undefined && kernel.types.tryStruct(type) !== undefined;
}

/** The dump's file read by other readers than the ones under test; undefined for formats that have none here. */
function plainFile(lab: CachedCase): PlainFile | undefined {
  const path = scoredDump(lab)?.files[0];
  if (path === undefined || !existsSync(path)) return undefined;
  const elf = PlainElf.open(path);
  return elf !== undefined && elf.segments.length > 0 ? elf : PlainKdump.open(path);
}

/** The case in each of the variants; nothing for those that the case cannot have. */
export async function* scoreCase(lab: CachedCase, variants: readonly Variant[]): AsyncGenerator<Row> {
  const label = labelOf(lab);
  const from = scoredDump(lab);
  if (label === undefined || from === undefined) return;
  const dump = await openLabDump(from);
  const plain = plainFile(lab);
  const withDebug = await described(lab);
  const built = lab.kernel.buildDir !== undefined;
  if (built && withDebug === undefined) return;
  const group = isHealthy(label) ? "healthy" : "fault";
  for (const variant of variants) {
    const asked: Asked = { case: lab.id, group, variant };
    const options: OpenOptions = (variant === "dwarf" || built ? withDebug : undefined) ?? {};
    if (variant === "plain" ? built : variant === "dwarf" && withDebug === undefined) continue;
    if (variant === "plain" || variant === "dwarf") {
      yield score(asked, () => kernelIn(dump, options), label, plain, []);
      continue;
    }
    const whole = wholeKernel(dump, options);
    if (whole === undefined) continue;
    if (variant === "d31") {
      if (from.level === undefined)
        // The whole file would show what was left out.
        yield score(asked, () => kernelIn(hollowDump(dump, leftOutByLevel31(whole)), options), label, undefined, []);
    } else {
      const edits = emptiedLog(whole);
      if (edits.length > 0) yield score(asked, () => kernelIn(overlaidDump(dump, edits), options), withoutLog(lab, label), plain, edits);
    }
  }
  plain?.close();
  dump.close();
}

/** Where the kernel lived on with what it had reported, until somebody asked for the dump, the report may have been all there was to know. */
function withoutLog(lab: CachedCase, label: ScoreLabel): ScoreLabel {
  const asked = existsSync(lab.consolePath) && readFileSync(lab.consolePath, "utf8").includes("sysrq triggered crash");
  if (!asked || isHealthy(label)) return label;
  // What a double free leaves in memory is a free list that is wrong.
  return { class: [...label.class, ...(label.class.includes("double-free") ? ["freelist-corruption" as const] : []), "deliberate"] };
}

function wholeKernel(dump: Dump, options: OpenOptions): Kernel | undefined {
  try {
    return kernelIn(dump, options);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** Mutations of a healthy case: as they are, and with the pages left out that makedumpfile -d 31 leaves out. */
export async function* scoreMutations(
  lab: CachedCase,
  seed: string,
  count: number,
  variants: readonly Variant[] = ["plain"],
): AsyncGenerator<Row> {
  const from = scoredDump(lab);
  if (from === undefined || lab.kernel.buildDir !== undefined) return;
  const dump = await openLabDump(from);
  const plain = plainFile(lab);
  const withDebug = await described(lab);
  const healthy = kernelIn(dump, withDebug);
  const views = viewsOf(truthOf(lab));
  const hidden = variants.includes("d31") && from.level === undefined ? leftOutByLevel31(healthy) : undefined;
  for (const mutation of mutationsOf(healthy, {
    seed: `${seed} ${lab.id}`,
    count: views.length > 0 ? Math.ceil(count / 4) : count,
    views,
  })) {
    const { edits, label: wanted, kind, what } = mutation;
    const label: ScoreLabel = { ...wanted, ...(wanted.cache === undefined ? {} : { object: { cache: [wanted.cache] } }) };
    const asked: Asked = { case: lab.id, group: isHealthy(label) ? "harmless" : "mutated", variant: "plain", kind, what };
    const options = mutation.needsVmlinux === true ? (withDebug ?? {}) : {};
    if (variants.includes("plain")) yield score(asked, () => kernelIn(overlaidDump(dump, edits), options), label, plain, edits);
    // What cannot be seen is no damage that could be told of; the harmless changes are of such pages mostly.
    if (hidden === undefined || edits.some(({ physical }) => hidden(Number(physical >> 12n)))) continue;
    yield score({ ...asked, variant: "d31" }, () => kernelIn(hollowDump(overlaidDump(dump, edits), hidden), options), label, undefined, []);
  }
  plain?.close();
  dump.close();
}
