/**
 * Damage done to live structures of a healthy dump, as hardware and bugs do it:
 *
 *   bit-flip   one bit of a pointer                      ….9b80 ─► ….9bc0
 *   text       24 bytes of text over a pointer           "eth0: link is down, 12 re"
 *   poison     a node still linked, but unlinked by its own word (LIST_POISON), or its object filled with 6b as a freed one is
 *   refcount   0, below 0 or saturated while references exist
 */
import { add, hex16, type VirtualAddress, virtual } from "../../../src/bytes/address.ts";
import { InquestError } from "../../../src/bytes/errors.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { slabCacheName } from "../../../src/linux/slab.ts";
import type { Mutation } from "./mutation.ts";
import { editsAt, half, word } from "./overlay.ts";
import type { Chance } from "./random.ts";
import type { Site, Sites } from "./sites.ts";

const TEXTS = [
  "eth0: link is down, 12 retries left",
  "GET /index.html HTTP/1.1 Host: example.org",
  "/var/log/messages.1.gz rotated by cron",
  "user=alice;session=9f2c;ttl=3600;",
  "sensor 3: temperature 71 C, fan 2400 rpm",
  "the quick brown fox jumps over the lazy dog",
];

/** A site of a group chosen first, so that every kind of structure has its turn. */
function siteOf(sites: readonly Site[], chance: Chance): Site | undefined {
  const groups = [...new Set(sites.map(({ group }) => group))];
  const group = chance.oneOf(groups);
  return chance.oneOf(sites.filter((site) => site.group === group));
}

function nameOf({ type, member }: { readonly type: string; readonly member: string }): string {
  return `${type}.${member}`;
}

/** All names of the damaged word. */
function namesOf(site: Site): readonly string[] {
  return [nameOf(site), ...(site.also ?? [])];
}

/** What may be named as the place: the object, the word in it. */
function placeOf({ object, address }: { readonly object: VirtualAddress; readonly address: VirtualAddress }): readonly bigint[] {
  return [...new Set([object, address])];
}

export function flippedBit(kernel: Kernel, sites: readonly Site[], chance: Chance): Mutation | undefined {
  const site = siteOf(sites, chance);
  if (site === undefined) return undefined;
  // The lowest bits carry a colour or a tag in some pointers.
  const bit = 3 + chance.below(60);
  return {
    kind: "bit-flip",
    what: `bit ${bit} of ${nameOf(site)} at ${hex16(site.address)}`,
    edits: editsAt(kernel, site.address, word(site.value ^ (1n << BigInt(bit)))),
    label: { class: ["bit-flip"], member: namesOf(site), addresses: placeOf(site) },
    at: site.address,
  };
}

export function textOverPointer(kernel: Kernel, sites: readonly Site[], chance: Chance): Mutation | undefined {
  const site = siteOf(
    sites.filter(({ kind }) => kind !== "number"),
    chance,
  );
  const text = chance.oneOf(TEXTS);
  if (site === undefined || text === undefined) return undefined;
  // The text covers the pointer wholly; it may begin up to 16 bytes before, but not outside the object.
  const before = Math.min(chance.below(17), Number(site.address - site.object));
  const start = chance.below(text.length - 24);
  const bytes = new TextEncoder().encode(text.slice(start, start + 24));
  return {
    kind: "text",
    what: `"${text.slice(start, start + 24)}" at ${hex16(add(site.address, -before))} over ${nameOf(site)}`,
    edits: editsAt(kernel, add(site.address, -before), bytes),
    // Every word that the text touched is a right answer; the judge takes members of the same object near the place.
    label: {
      class: ["overwritten-pointer"],
      member: [...namesOf(site), ...overwrittenMembers(kernel, site, before)],
      addresses: [...placeOf(site), add(site.address, -before)],
    },
    at: add(site.address, -before),
  };
}

/** Members of the object that lie, in part, in the 24 bytes. */
function overwrittenMembers(kernel: Kernel, { type, object, address }: Site, before: number): readonly string[] {
  const struct = kernel.types.tryStruct(type);
  if (struct === undefined) return [];
  const from = Number(address - object) - before;
  const found: string[] = [];
  for (const member of struct.type.members) {
    const field = member.name === undefined ? undefined : struct.tryField(member.name);
    if (field !== undefined && field.offset < from + 24 && field.offset + Math.max(1, field.size) > from)
      found.push(`${type}.${field.path}`);
  }
  return found;
}

/** CONFIG_ILLEGAL_POINTER_VALUE + 0x100 and + 0x122. */
const LIST_POISON = [0xdead_0000_0000_0100n, 0xdead_0000_0000_0122n] as const;

export function poisonedNode(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const site = siteOf(
    sites.pointers.filter(({ kind, member }) => kind === "list" && member.endsWith(".next")),
    chance,
  );
  if (site === undefined) return undefined;
  const label = { member: [nameOf(site), nameOf(site).replace(/\.next$/, ".prev")], addresses: placeOf(site) };
  const object = slabCacheName(kernel, site.object);
  if (object === undefined || object.objectSize > 4096 || chance.below(2) === 0) {
    const bytes = new Uint8Array(16);
    bytes.set(word(LIST_POISON[0]));
    bytes.set(word(LIST_POISON[1]), 8);
    return {
      kind: "poison",
      what: `LIST_POISON in ${nameOf(site)} at ${hex16(site.address)}, its neighbours still lead to it`,
      edits: editsAt(kernel, site.address, bytes),
      label: { class: ["list-corruption", "use-after-free"], ...label },
      at: site.address,
    };
  }
  const bytes = new Uint8Array(object.objectSize).fill(0x6b);
  bytes[bytes.length - 1] = 0xa5;
  return {
    kind: "poison",
    what: `6b over the ${object.cache} object ${hex16(object.object)}, which is still linked by ${nameOf(site)}`,
    edits: editsAt(kernel, object.object, bytes),
    // All of it is bad: any member of it may be named.
    label: { class: ["use-after-free", "list-corruption"], addresses: [...label.addresses, object.object], cache: object.cache },
    at: object.object,
  };
}

/** REFCOUNT_SATURATED (INT_MIN / 2). */
const SATURATED = 0xc000_0000n;

export function changedCount(kernel: Kernel, sites: Sites, chance: Chance): Mutation | undefined {
  const types = [...new Set(sites.counters.map(nameOf))];
  const type = chance.oneOf(types);
  const site = chance.oneOf(sites.counters.filter((each) => nameOf(each) === type));
  if (site === undefined) return undefined;
  const choice = chance.below(3);
  const value = choice === 0 ? 0n : choice === 1 ? -1n - BigInt(chance.below(4)) : SATURATED;
  const stored = site.size === 8 ? BigInt.asIntN(64, choice === 2 ? BigInt.asIntN(32, value) : value) : value;
  return {
    kind: "refcount",
    what: `${nameOf(site)} of ${hex16(site.object)} from ${site.value} to ${choice === 2 ? "saturated" : value}`,
    edits: editsAt(kernel, site.address, site.size === 8 ? word(stored) : half(stored)),
    label: {
      // Where a counter does not saturate, so low a value has been reached by giving back; refcount_t says it either way.
      class: choice === 2 ? ["refcount-overflow", "refcount-underflow"] : ["refcount-underflow"],
      member: [nameOf(site), nameOf(site).replace(/(?:\.refs)?\.counter$/, "")],
      addresses: placeOf(site),
    },
    at: site.address,
  };
}

/** A dump's word, or undefined. */
export function tryWord(kernel: Kernel, address: bigint): bigint | undefined {
  try {
    return kernel.memory.u64(virtual(address));
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
