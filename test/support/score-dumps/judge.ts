/** A diagnosis held against a label: what is right, what is wrong, what could not be judged (undefined). */
import type { Diagnosis, VerdictClass } from "../../../src/diagnosis/verdict.ts";
import { isHealthy, type ScoreLabel } from "./labels.ts";

export interface Judgement {
  readonly class: boolean;
  /** The best of the classes that are right. */
  readonly best: boolean;
  readonly function?: boolean;
  readonly module?: boolean;
  readonly member?: boolean;
  readonly object?: boolean;
  readonly participants?: boolean;
  /** Whom or what it accuses wrongly. */
  readonly accuses?: string;
}

/** Classes that accuse nobody. */
const QUIET: ReadonlySet<VerdictClass> = new Set(["deliberate", "unknown"]);

export function judge(found: Diagnosis, label: ScoreLabel): Judgement {
  const { verdict } = found;
  const right = label.class.includes(verdict.class);
  const accuses = accusation(found, label);
  const member = memberRight(found, label);
  const object = objectRight(found, label);
  const participants = participantsRight(found, label);
  return {
    class: right,
    best: label.class[0] === verdict.class,
    ...(label.function === undefined || label.function.length === 0
      ? {}
      : { function: verdict.function !== undefined && label.function.includes(plain(verdict.function)) }),
    ...(label.module === undefined ? {} : { module: verdict.module === label.module }),
    ...(member === undefined ? {} : { member }),
    ...(object === undefined ? {} : { object }),
    ...(participants === undefined ? {} : { participants }),
    ...(accuses === undefined ? {} : { accuses }),
  };
}

/** Compilers' clones of a function are the function. */
function plain(name: string): string {
  return name.replace(/\.(?:isra|constprop|part|cold)(?:\.\d+)?/g, "");
}

/** A module blamed that is not the label's, or anything at all where nothing is wrong. */
function accusation({ verdict }: Diagnosis, label: ScoreLabel): string | undefined {
  if (isHealthy(label))
    return QUIET.has(verdict.class) || label.class.includes(verdict.class) ? undefined : `${verdict.class}: ${verdict.title}`;
  if (verdict.module === undefined || verdict.class === "unknown" || verdict.module === label.module) return undefined;
  return `module ${verdict.module}${label.module === undefined ? "" : ` instead of ${label.module}`}`;
}

function bare(type: string): string {
  return type.replace(/^(?:struct|union|enum) /, "");
}

/** "task_struct.tasks" names the same word as "task_struct.tasks.next". */
function sameMember(said: string, wanted: string): boolean {
  return said === wanted || said.startsWith(`${wanted}.`) || wanted.startsWith(`${said}.`) || said.startsWith(`${wanted}[`);
}

function memberRight({ verdict }: Diagnosis, { member }: ScoreLabel): boolean | undefined {
  if (member === undefined || member.length === 0) return undefined;
  const { type, member: name } = verdict.object ?? {};
  if (type === undefined || name === undefined) return false;
  const said = `${bare(type)}.${name}`;
  return member.some((wanted) => sameMember(said, wanted));
}

function objectRight({ verdict, evidence }: Diagnosis, { object, addresses }: ScoreLabel): boolean | undefined {
  if (object === undefined && addresses === undefined) return undefined;
  const said = verdict.object;
  if (addresses !== undefined) {
    const named = [verdict.address, said?.address, ...evidence.flatMap(({ values }) => values.map(({ address }) => address))];
    return named.some((each) => each !== undefined && addresses.includes(each));
  }
  const byType = said?.type !== undefined && (object?.type ?? []).includes(bare(said.type));
  const byCache = said?.cache !== undefined && (object?.cache ?? []).includes(said.cache);
  return byType || byCache;
}

/** Exactly those: of a circle its tasks, of a chain its root; who only waits behind them does not count. */
function participantsRight({ verdict }: Diagnosis, { participants, pids }: ScoreLabel): boolean | undefined {
  const said = (verdict.participants ?? []).filter(({ central }) => central === true);
  if (pids !== undefined && pids.length > 0)
    return same(
      said.map(({ pid }) => pid ?? -1),
      pids,
    );
  if (participants === undefined || participants.length === 0) return undefined;
  const comms = said.map(({ comm }) => comm ?? "?");
  const fits = (comm: string, wanted: string) => (wanted.endsWith("*") ? comm.startsWith(wanted.slice(0, -1)) : comm === wanted);
  return comms.length === participants.length && participants.every((wanted) => comms.some((comm) => fits(comm, wanted)));
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && b.every((each) => a.includes(each));
}
