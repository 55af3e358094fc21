/**
 * From guard bytes that were overwritten to findings, one for each stretch that was written in one go:
 *
 *   │ left │ object N ....AAAAAAAA│AAAA right │ tracks │ padding │AA left │ object N+1 …
 *                                 └ from within the object: written past its end through it, and on into the next one's left red zone
 */
import { add, distance, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { stateText } from "../../identity/describe.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { GuardDamage } from "../../linux/slab-guards.ts";
import { slabObjectState } from "../../linux/slab-state.ts";
import { inSlabObject } from "../checks/argument.ts";
import { type Tracks, tracksCommand, tracksOf } from "../checks/tracks.ts";
import { objectType } from "../fault/object-type.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence } from "../verdict.ts";

/** Findings that are told. */
const MOST = 8;
/** Bytes that repeat, or characters, before it is said that they run on from within the object. */
const SURE_RUN = 4;
const POISON_FREE = 0x6b;
/** Shown of overwritten bytes. */
const SHOWN = 32;

/** @param objects how many were looked at */
export function guardFindings(kernel: Kernel, damage: readonly GuardDamage[], objects: number): Finding[] {
  const stretches = stretchesOf(damage);
  return stretches.slice(0, MOST).map((stretch) => findingOf(kernel, stretch, stretches.length, objects));
}

/** Damage of neighbours that goes on from the one before is part of it. */
function stretchesOf(damage: readonly GuardDamage[]): (readonly GuardDamage[])[] {
  const sorted = [...damage].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const found: GuardDamage[][] = [];
  for (const each of sorted) {
    const open = found.at(-1);
    const before = open?.at(-1);
    if (open !== undefined && before !== undefined && goesOn(before, each)) open.push(each);
    else found.push([each]);
  }
  return found;
}

/** The right red zone of an object to its last byte, then the left one of the next. */
function goesOn(before: GuardDamage, after: GuardDamage): boolean {
  if (before.slab.page !== after.slab.page) return false;
  if (before.index === after.index) return before.zone !== "left red zone" && after.zone === "right red zone";
  return after.index === before.index + 1 && before.zone !== "left red zone" && after.zone === "left red zone";
}

interface Run {
  readonly from: VirtualAddress;
  readonly text?: string;
}

function findingOf(kernel: Kernel, stretch: readonly GuardDamage[], stretches: number, objects: number): Finding {
  const first = stretch[0] as GuardDamage;
  const { zone, object, slab, from, bytes } = first;
  const { cache } = slab;
  const freed = zone === "poison";
  const tracks = tracksOf(kernel, object);
  const track = freed ? (tracks.freed ?? tracks.allocated) : tracks.allocated;
  const run = zone === "right red zone" || zone === "red zone of kmalloc" ? runInto(kernel, first) : undefined;
  const member = freed ? inSlabObject(kernel, from, 1) : run === undefined ? undefined : inSlabObject(kernel, run.from, 1);
  const type = member?.type ?? objectType(kernel, object)?.name;
  const state = slabObjectState(kernel, object);
  const count = bytes.length;
  const where = placeText(first);
  const told = contentText(kernel, first, run);
  const which = `the object at ${hex16(object)} of ${cache.name}`;
  return {
    class: freed ? "use-after-free" : "slab-redzone",
    title: freed
      ? `${plural(count)} of ${which} ${count === 1 ? "was" : "were"} written after it was freed${whoText(tracks, "freed")}: ${told}`
      : `${plural(count)} ${where} ${which}${whoText(tracks, "allocated")} ${count === 1 ? "was" : "were"} overwritten: ${told}`,
    checks: checksOf(first, objects),
    baseRate: { what: "objects whose guard bytes are overwritten", tried: objects, fired: stretches },
    rarity: true,
    depth: "cause",
    object: {
      ...(type === undefined ? {} : { type }),
      ...(member === undefined ? {} : { member: member.member.replace(/\[\d+\]$/, "") }),
      address: object,
      ...(state === undefined ? {} : { state: stateText(state) }),
      cache: cache.name,
    },
    access: { kind: "write", size: count },
    address: from,
    place: track === undefined ? {} : { function: track.function, ...(track.module === undefined ? {} : { module: track.module }) },
    story: storyOf(stretch, run, tracks, told),
    evidence: evidenceOf(kernel, first, tracks, run),
  };
}

function plural(count: number): string {
  return `${count} byte${count === 1 ? "" : "s"}`;
}

function whoText(tracks: Tracks, which: "allocated" | "freed"): string {
  const track = tracks[which];
  return track === undefined ? "" : ` (${which} by ${track.function}${track.module === undefined ? "" : ` [${track.module}]`})`;
}

function placeText({ zone }: GuardDamage): string {
  if (zone === "left red zone") return "before";
  return zone === "right red zone" ? "behind" : "behind what was asked for of";
}

function checksOf({ zone, expected, bytes }: GuardDamage, objects: number): Check[] {
  const other = expected === 0xbb ? 0xcc : 0xbb;
  return [
    {
      what:
        zone === "poison"
          ? "the object is free, and what belongs in it is 6b"
          : `what belongs there is ${expected.toString(16)}, and ${other.toString(16)} while the object is taken or given back: it is neither`,
      result: "held",
    },
    {
      what: `the same bytes are whole in the other objects that were looked at (${objects})`,
      result: objects > 8 ? "held" : "not possible",
    },
    // One byte that is one bit off may as well be the memory's own fault.
    {
      what: "it is more than a bit that flipped",
      result: bytes.length === 1 && isBitFlip(bytes[0] ?? 0, expected) ? "not possible" : "held",
    },
  ];
}

function isBitFlip(found: number, expected: number): boolean {
  const different = found ^ expected;
  return (different & (different - 1)) === 0;
}

/** How the stretch begins within the object: text, or one byte over and over, that runs into the red zone. */
function runInto(kernel: Kernel, { object, from, bytes, slab: { cache } }: GuardDamage): Run | undefined {
  const length = distance(from, object);
  const own = kernel.memory.tryBytes(object, length);
  // Bytes between the object and what was overwritten are whole: it did not come from within.
  if (own === undefined || length > cache.stride) return undefined;
  const next = bytes[0] ?? 0;
  const text = isPrintable(next) || (next === 0 && isPrintable(own.at(-1) ?? 0));
  let at = own.length;
  while (at > 0 && (text ? isPrintable(own[at - 1] ?? 0) : own[at - 1] === next && next !== 0)) at--;
  // Poison of a kernel that fills new objects reads as text, too.
  const poison = own.lastIndexOf(POISON_FREE);
  if (text && poison >= at && own[poison - 1] === POISON_FREE) at = poison + 1;
  if (own.length - at < SURE_RUN) return undefined;
  return { from: add(object, at), ...(text ? { text: String.fromCharCode(...own.subarray(at)) } : {}) };
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x09;
}

/** What was written there, in words. */
function contentText(kernel: Kernel, { bytes, from }: GuardDamage, run: Run | undefined): string {
  const end = [...bytes].findIndex((byte) => !isPrintable(byte));
  const printable = end < 0 ? bytes.length : end;
  if (run?.text !== undefined || printable >= 8)
    return `text, ${JSON.stringify(`${run?.text ?? ""}${String.fromCharCode(...bytes.subarray(0, printable))}`.slice(-40))}`;
  if (bytes.every((byte) => byte === bytes[0]))
    return bytes.length === 1 ? `a byte ${hexByte(bytes[0] ?? 0)}` : `all ${hexByte(bytes[0] ?? 0)}`;
  const pointer = bytes.length === 8 ? kernel.memory.tryU64(from) : undefined;
  if (pointer !== undefined && kernel.arch.isKernelAddress(pointer))
    return `the pointer ${hex16(pointer)}${symbolText(kernel, virtual(pointer))}`;
  return [...bytes.subarray(0, SHOWN)].map(hexByte).join(" ") + (bytes.length > SHOWN ? " …" : "");
}

function symbolText(kernel: Kernel, address: VirtualAddress): string {
  const name = kernel.symbolize(address);
  return name === undefined ? "" : ` (${name})`;
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0");

function storyOf(stretch: readonly GuardDamage[], run: Run | undefined, tracks: Tracks, told: string): string[] {
  const { zone, from, bytes, object, slab, expected, index } = stretch[0] as GuardDamage;
  const off = distance(from, object);
  const place =
    zone === "poison"
      ? `${off} bytes into a free object of ${slab.cache.name}`
      : off < 0
        ? `${-off} bytes before an object of ${slab.cache.name}`
        : `${off} bytes from the start of an object of ${slab.cache.objectSize} bytes`;
  return [
    `slub_debug fills these bytes with ${hexByte(expected)}; from ${hex16(from)} to ${hex16(add(from, bytes.length - 1))}, ${place}, stands ${told}.`,
    ...(run === undefined
      ? []
      : [
          `It begins within the object, ${distance(run.from, object)} bytes from its start: it was written past its end through this object.`,
        ]),
    ...(stretch.length > 1 ? [`It goes on over the red zones of what lies behind, ${stretch.length} in all.`] : []),
    ...(zone === "left red zone" && index > 0
      ? ["The red zone behind the object before it is whole: it was written below this object's start."]
      : []),
    ...(tracks.allocated === undefined ? [] : [`The object was ${tracks.allocated.text}.`]),
    ...(tracks.freed !== undefined && zone === "poison" ? [`It was ${tracks.freed.text}.`] : []),
    "The kernel had not looked yet: it does when the object is taken or given back, if at all.",
  ];
}

function evidenceOf(kernel: Kernel, { from, bytes, object, zone, slab }: GuardDamage, tracks: Tracks, run: Run | undefined): Evidence[] {
  const aligned = virtual(from & ~7n);
  const word = kernel.memory.tryU64(aligned);
  const known = [tracks.allocated?.text, tracks.freed?.text].filter((text) => text !== undefined).join("; ");
  const state = slabObjectState(kernel, object);
  return [
    {
      claim: `the ${zone} ${zone === "poison" ? "of" : "at"} ${hex16(object)} is not whole`,
      command: `rd -8 ${hex16(aligned)} ${Math.min(64, distance(from, aligned) + bytes.length)}`,
      values: word === undefined || word >> 32n === 0n ? [] : [{ address: aligned, value: word }],
    },
    {
      claim: `the object at ${hex16(object)} of ${slab.cache.name} is ${state === undefined ? "of unknown state" : stateText(state)}${known === "" ? "" : `; ${known}`}`,
      command: tracksCommand(object),
      values: [],
    },
    ...(run === undefined
      ? []
      : [
          { claim: "the same goes on from within the object", command: `rd -8 ${hex16(run.from)} ${distance(from, run.from)}`, values: [] },
        ]),
  ];
}
