/** The lab's cases of the scenario "views" opened, with their truth, and answers of commands as JSON. */
import { existsSync } from "node:fs";
import { type CachedCase, cachedCases, dumpNamed } from "../../lab/case-record.ts";
import { type Truth, truthOf } from "../../lab/truth.ts";
import { type ViewTruth, viewsOf } from "../../lab/views-truth.ts";
import type { Session } from "../../src/commands/command.ts";
import { jsonChunks } from "../../src/commands/json.ts";
import { createSession } from "../../src/commands/session.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { openBuilt } from "./built-kernel.ts";

/** Anything that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export type JsonObject = { readonly [name: string]: Json };

/** Cases of the scenario in the cache. */
export const viewCases: readonly (readonly [id: string, lab: CachedCase])[] = cachedCases()
  .filter(({ scenario }) => scenario === "views")
  .map((lab) => [lab.id, lab] as const);

/** One opened case. */
export interface Views {
  readonly session: Session;
  readonly truth: Truth;
  readonly told: readonly ViewTruth[];
  /** What was told of one kind; throws when that is nothing. */
  of(kind: string): readonly ViewTruth[];
  /** One thing by kind and name; throws when it was not told of. */
  one(kind: string, name: string): ViewTruth;
  /** A command's result as JSON has it. */
  ask(line: string): Json;
}

/** Opens a case's ELF dump: by itself, or with its vmlinux where the kernel lists functions only (Debian's arm64 up to 6.1). */
export async function openViews(lab: CachedCase): Promise<Views> {
  const alone = await openKernel(dumpNamed(lab, "elf").files);
  const { vmlinux } = lab;
  const session = createSession(
    vmlinux === undefined || !existsSync(vmlinux) || alone.tryAddress("init_ipc_ns") !== undefined
      ? alone
      : await openBuilt({ ...lab, vmlinux }, dumpNamed(lab, "elf")),
  );
  const truth = truthOf(lab);
  const told = viewsOf(truth);
  const of = (kind: string): readonly ViewTruth[] => {
    const found = told.filter((view) => view.kind === kind);
    if (found.length === 0) throw new Error(`${lab.id} tells of no ${kind}`);
    return found;
  };
  return {
    session,
    truth,
    told,
    of,
    one(kind, name) {
      const found = of(kind).find((view) => view.name === name);
      if (found === undefined) throw new Error(`${lab.id} tells of no ${kind} ${name}`);
      return found;
    },
    ask: (line) => JSON.parse(jsonChunks(session.execute(line).result).join("")) as Json,
  };
}

/** Every object within an answer, the outermost first. */
export function* objectsIn(answer: Json): Generator<JsonObject, void, undefined> {
  if (Array.isArray(answer)) for (const each of answer) yield* objectsIn(each as Json);
  else if (typeof answer === "object" && answer !== null) {
    yield answer as JsonObject;
    for (const each of Object.values(answer as JsonObject)) yield* objectsIn(each);
  }
}

/** Objects that have an address under one of these names. */
export function withAddress(answer: Json, address: bigint | undefined, ...names: readonly string[]): readonly JsonObject[] {
  const wanted = `0x${(address ?? 0n).toString(16)}`;
  return [...objectsIn(answer)].filter((object) => names.some((name) => object[name] === wanted));
}
