/**
 * What slub_debug found (mm/slub.c: check_object, check_slab, slab_err, object_err): bytes around or in an object that nobody may write.
 *
 *   Right Redzone overwritten     behind the object: written past its end              slab-redzone
 *   Left Redzone overwritten      before it: the neighbour's end, or below its start
 *   Poison overwritten            in a free object: written after it was freed         use-after-free
 *   Object already free           given back twice                                     double-free
 *   Invalid object pointer, Object is not a slab object                                bad-free
 *   Freechain corrupt, Freepointer corrupt                                             freelist-corruption
 *
 *   neighbour │ padding │ left red zone │ object ....AAAAAAAA│AAAA red zone │ tracks │ padding │ neighbour
 *                                            └ the same bytes go on from within: it was written through this object
 *
 * The kernel repairs what it found and goes on ("FIX …: Restoring …"), so the bytes themselves are the log's; the object, its cache and who
 * had it are in memory still. Row 7 of the catalogue.
 */
import { distance, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type SlabObject, Slabs } from "../../linux/slab.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { objectType } from "../fault/object-type.ts";
import { plainName } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence, VerdictClass } from "../verdict.ts";
import { inSlabObject, objectAt } from "./argument.ts";
import { isTool } from "./blame.ts";
import { freedMember } from "./free-call.ts";
import { addressField, reportEvidence, reportFrames, type SubjectReport, subjectReport, textField } from "./subject-report.ts";
import { type Tracks, tracksCommand, tracksOf, tracksTold } from "./tracks.ts";

export const slabReport: Detector = {
  name: "slab report",
  classes: ["slab-redzone", "use-after-free", "double-free", "bad-free", "freelist-corruption"],
  needs: ["the report of slub_debug in the log"],
  refutedBy: ["the object is of another cache than the report says", "no object lies there", "the report is not whole"],
  appliesTo: ({ subject }) => subject.event?.kind === "slub",
  detect(context) {
    const found = subjectReport(context);
    return found === undefined ? [] : [findingOf(context, found)];
  },
};

interface Overwritten {
  readonly from: bigint;
  /** Inclusive. */
  readonly to: bigint;
  readonly found: string;
  readonly expected: string;
}

function findingOf(context: DiagnosisContext, found: SubjectReport): Finding {
  const { kernel } = context;
  const { told } = found;
  const name = told.verdict.class;
  const kind = textField(found, "kind") ?? "";
  const cache = textField(found, "cache");
  const damage = overwritten(found);
  const address = addressField(found, "object") ?? pointerIn(kind) ?? damage?.from;
  const object = address === undefined ? undefined : slabObject(kernel, address);
  const tracks = tracksTold(found.report, object === undefined ? {} : tracksOf(kernel, object.object));
  const run = object === undefined || damage === undefined ? undefined : runInto(kernel, object, damage);
  const place = placeOf(found, name, tracks);
  const given = name === "double-free" || name === "bad-free" ? givenBack(kernel, found, place) : undefined;
  const typed = given ?? (object === undefined ? undefined : typeOf(kernel, object, run));
  const frames = reportFrames(found);
  return {
    class: name,
    title: titleOf(name, cache ?? object?.cache, place, damage, object, given === undefined ? kind : `${given.type}.${given.member}`),
    checks: checksOf(found, cache, object, address),
    depth: "cause",
    ...(place === undefined ? {} : { place }),
    frames,
    ...(damage === undefined
      ? {}
      : { access: { kind: "write" as const, size: Number(damage.to - damage.from) + 1 }, address: damage.from }),
    // Until 5.13 the report hashes addresses (%p): then only the cache is known.
    ...(object !== undefined
      ? { object: objectAt(kernel, object.object, typed) }
      : cache === undefined
        ? {}
        : { object: { ...typed, cache } }),
    story: storyOf(found, name, damage, object, tracks, run),
    evidence: [...reportEvidence(context), ...objectEvidence(kernel, object, tracks), ...runEvidence(kernel, run)],
  };
}

function overwritten(found: SubjectReport): Overwritten | undefined {
  const from = found.report.faultAddress;
  const to = addressField(found, "end");
  return from === undefined || to === undefined || to < from || to - from > 0x10_0000n
    ? undefined
    : { from, to, found: textField(found, "found") ?? "?", expected: textField(found, "expected") ?? "?" };
}

/** "Invalid object pointer 0xff20e2dcc29c9e50". */
function pointerIn(kind: string): bigint | undefined {
  const digits = /(?:0x)?([0-9a-f]{16})/.exec(kind)?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}

function slabObject(kernel: Kernel, address: bigint): SlabObject | undefined {
  try {
    return kernel.arch.isKernelAddress(address) ? Slabs.of(kernel)?.objectOf(virtual(address)) : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function checksOf(
  { report }: SubjectReport,
  cache: string | undefined,
  object: SlabObject | undefined,
  address: bigint | undefined,
): Check[] {
  const checks: Check[] = [{ what: "the report in the log is whole", result: report.damage.length === 0 ? "held" : "not possible" }];
  if (address === undefined) checks.push({ what: "the report names the object", result: "not possible" });
  else if (object === undefined) checks.push({ what: `${hex16(address)} lies in an object of a slab`, result: "not possible" });
  else {
    const same = cache === undefined || cache === object.cache;
    checks.push({ what: `the object at ${hex16(object.object)} is of ${object.cache} in the dump`, result: same ? "held" : "refuted" });
  }
  return checks;
}

/** Bytes that go on from within the object into its red zone. */
interface Run {
  readonly from: VirtualAddress;
  readonly bytes: number;
}

/** How far back from the object's end the byte of the red zone repeats: at least four, for one may be a coincidence. */
function runInto(kernel: Kernel, object: SlabObject, damage: Overwritten): Run | undefined {
  const end = object.object + BigInt(object.objectSize);
  const byte = Number.parseInt(damage.found, 16);
  if (Number.isNaN(byte) || damage.from > end + 8n || damage.from < end) return undefined;
  const bytes = kernel.memory.tryBytes(object.object, object.objectSize);
  if (bytes === undefined) return undefined;
  let at = bytes.length;
  while (at > 0 && bytes[at - 1] === byte) at--;
  const length = bytes.length - at;
  return length < 4 || byte === 0 ? undefined : { from: virtual(object.object + BigInt(at)), bytes: length };
}

/** The structure by its cache, and the member that the run begins in. */
function typeOf(kernel: Kernel, object: SlabObject, run: Run | undefined): { readonly type?: string; readonly member?: string } {
  const inside = run === undefined ? undefined : inSlabObject(kernel, run.from, 1);
  if (inside !== undefined) return { type: inside.type, member: inside.member.replace(/\[\d+\]$/, "") };
  const typed = objectType(kernel, object.object);
  return typed === undefined ? {} : { type: typed.name };
}

/**
 * A red zone is checked when the object is given back or taken: who gives it back uses the object, and wrote it most likely. In a free object
 * damage is found when somebody else gets it: who freed it had it last.
 */
function placeOf({ told, trace = [] }: SubjectReport, name: VerdictClass, tracks: Tracks): Finding["place"] {
  const frames = trace.filter((each) => each.doubtful !== true && each.inlined !== true && each.function !== undefined);
  const names = frames.map((each) => plainName(each.function ?? ""));
  const taken = names.some((each) =>
    /^(?:___slab_alloc|__slab_alloc|alloc_debug_processing|get_partial\w*|alloc_single_from_\w+)$/.test(each),
  );
  const track = name === "use-after-free" || (taken && name === "slab-redzone") ? (tracks.freed ?? tracks.allocated) : undefined;
  if (track !== undefined) return { function: track.function, ...(track.module === undefined ? {} : { module: track.module }) };
  const first = frames.find((each) => !isTool({ function: each.function ?? "", module: each.module }));
  const place = first === undefined ? told.verdict : first;
  if (place.function === undefined) return undefined;
  return { function: plainName(place.function), ...(place.module === undefined ? {} : { module: place.module }) };
}

/** The member that held the pointer, by the code of the function that gave it back. */
function givenBack(kernel: Kernel, { trace = [] }: SubjectReport, place: Finding["place"]) {
  const frames = trace.filter((each) => each.doubtful !== true && each.inlined !== true);
  const at = frames.findIndex((each) => each.function === place?.function);
  return at < 0 ? undefined : freedMember(kernel, frames.slice(at), frames[at - 1]?.function);
}

function titleOf(
  name: VerdictClass,
  cache: string | undefined,
  place: Finding["place"],
  damage: Overwritten | undefined,
  object: SlabObject | undefined,
  kind: string,
): string {
  const what = `${object === undefined ? "an object" : `the object at ${hex16(object.object)}`}${cache === undefined ? "" : ` of ${cache}`}`;
  const who = place?.function === undefined ? "" : `${place.function}${place.module === undefined ? "" : ` [${place.module}]`}`;
  const size = damage === undefined ? "" : `${Number(damage.to - damage.from) + 1} bytes `;
  switch (name) {
    case "slab-redzone": {
      const side = object !== undefined && damage !== undefined && damage.from < object.object ? "before" : "behind";
      return `${size}${side} ${what} were overwritten${who === "" ? "" : `, found when ${who} gave it back or took it`}`;
    }
    case "use-after-free":
      return `${size}of ${what} were written after it was freed${who === "" ? "" : ` by ${who}`}`;
    case "double-free":
      return `${who === "" ? "somebody" : who} gives ${what} back a second time${/^(?:struct|union) /.test(kind) ? `, from ${kind}` : ""}`;
    case "bad-free":
      return `${who === "" ? "somebody" : who} gives back ${/^(?:struct|union) /.test(kind) ? kind : "a pointer"}, which is no object${cache === undefined ? "" : ` of ${cache}`}`;
    default:
      return `${kind === "" ? "damage" : kind} in ${what}${who === "" ? "" : `, found by ${who}`}`;
  }
}

function storyOf(
  found: SubjectReport,
  name: VerdictClass,
  damage: Overwritten | undefined,
  object: SlabObject | undefined,
  tracks: Tracks,
  run: Run | undefined,
): string[] {
  const story: string[] = [];
  const kind = textField(found, "kind");
  if (kind !== undefined) story.push(`slub_debug reported: ${kind}.`);
  if (damage !== undefined) {
    const where = object === undefined ? "" : placeText(object, damage);
    story.push(`${hex16(damage.from)} to ${hex16(damage.to)}${where} held 0x${damage.found} first where 0x${damage.expected} belongs.`);
  }
  if (run !== undefined)
    story.push(`The same byte fills the last ${run.bytes} bytes of the object itself: it was written past its end through this object.`);
  if (tracks.allocated !== undefined) story.push(`The object was ${tracks.allocated.text}.`);
  if (tracks.freed !== undefined && (name === "use-after-free" || name === "double-free")) story.push(`It was ${tracks.freed.text}.`);
  if (name === "use-after-free") story.push("Who got the object next only found it.");
  return story;
}

function placeText(object: SlabObject, damage: Overwritten): string {
  const past = distance(virtual(damage.from), object.object) - object.objectSize;
  if (past >= 0) return `, ${past} bytes behind the object's ${object.objectSize}`;
  const into = distance(virtual(damage.from), object.object);
  return into < 0 ? `, ${-into} bytes before the object` : `, ${into} bytes into the object`;
}

function objectEvidence(kernel: Kernel, object: SlabObject | undefined, tracks: Tracks): Evidence[] {
  if (object === undefined) return [];
  const { state, cache } = objectAt(kernel, object.object);
  const known = [tracks.allocated?.text, tracks.freed?.text].filter((text) => text !== undefined).join("; ");
  return [
    {
      claim: `the object at ${hex16(object.object)} of ${cache ?? object.cache} is ${state ?? "of unknown state"}${known === "" ? "" : `; ${known}`}`,
      command: tracksCommand(object.object),
      values: [],
    },
  ];
}

function runEvidence(kernel: Kernel, run: Run | undefined): Evidence[] {
  if (run === undefined) return [];
  const at = virtual((run.from + 7n) & ~7n);
  const word = run.bytes >= 16 ? kernel.memory.tryU64(at) : undefined;
  return [
    {
      claim: `the last ${run.bytes} bytes of the object hold the byte that was found behind it`,
      command: `rd -8 ${hex16(run.from)} ${run.bytes}`,
      values: word === undefined ? [] : [{ address: at, value: word }],
    },
  ];
}
