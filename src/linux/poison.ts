/**
 * Words that the kernel writes where nothing may be used any more, or not yet: include/linux/poison.h, include/linux/stackleak.h.
 *
 *   pointers   CONFIG_ILLEGAL_POINTER_VALUE (dead000000000000 on both machines) + a small number: 100 LIST_POISON1, 122 LIST_POISON2 …
 *   bytes      6b6b6b6b6b6b6b6b: a freed slab object; a word read out of it, or an address that was computed from one
 *
 * A poisoned pointer is seldom used as it is: a member of the structure it should point to (poison + offset), or the structure around it
 * (container_of: poison − offset). Both are told with the offset.
 */

export interface Poison {
  /** The kernel's name: "LIST_POISON1", "POISON_FREE". */
  readonly name: string;
  /** What it tells, in words. */
  readonly meaning: string;
  readonly value: bigint;
  /** Bytes from the poison to the address; negative below it. */
  readonly offset: number;
}

interface Pattern {
  readonly name: string;
  readonly meaning: string;
  readonly value: bigint;
}

/** Offsets of members that are believed: half a page either way. */
const NEAR = 2048n;

/** CONFIG_ILLEGAL_POINTER_VALUE of both machines (arch/x86/Kconfig, arch/arm64/Kconfig). */
export const ILLEGAL_POINTER = 0xdead_0000_0000_0000n;

const POINTERS: readonly (readonly [offset: bigint, name: string, meaning: string])[] = [
  [0x40n, "PP_SIGNATURE", "a page of a page_pool"],
  [0x100n, "LIST_POISON1", "next of an entry that was taken off its list"],
  // 0x200 until 5.7 (4c6080cd6f8b).
  [0x122n, "LIST_POISON2", "prev of an entry that was taken off its list"],
  [0x200n, "LIST_POISON2", "prev of an entry that was taken off its list (before 5.8)"],
  [0x300n, "TIMER_ENTRY_STATIC", "a timer that was initialised statically"],
  [0x400n, "TAIL_MAPPING", "mapping of a tail page"],
  [0x500n, "MUTEX_POISON_WW_CTX", "a ww_mutex context that is over"],
  [0x801n, "NET_PTR_POISON", "a pointer of the network stack that is over"],
  [0xd390n, "STACK_DEPOT_POISON", "a stack record that was freed"],
];

const BYTES: readonly (readonly [byte: number, name: string, meaning: string])[] = [
  [0x6b, "POISON_FREE", "a freed slab object"],
  [0x5a, "POISON_INUSE", "a slab object that was allocated and not written"],
  [0xa5, "POISON_END", "the last byte of a poisoned slab object"],
  [0xbb, "SLUB_RED_INACTIVE", "the red zone of a free slab object"],
  [0xcc, "SLUB_RED_ACTIVE", "the red zone of an allocated slab object, or freed init memory (POISON_FREE_INITMEM)"],
  [0xaa, "PAGE_POISON", "a free page"],
  [0x11, "MUTEX_DEBUG_INIT", "a mutex's waiter that was initialised"],
  [0x22, "MUTEX_DEBUG_FREE", "a mutex's waiter that is over"],
  [0xa7, "POOL_POISON_FREED", "a freed block of a DMA pool"],
  [0xa9, "POOL_POISON_ALLOCATED", "a block of a DMA pool that was not written"],
  [0x5b, "JBD_POISON_FREE", "a freed journal head"],
  [0x5c, "JBD2_POISON_FREE", "a freed journal head"],
  [0x6c, "FLEX_ARRAY_FREE", "a freed element of a flexible array"],
  [0xbd, "KEY_DESTROY", "a destroyed key"],
];

const WORDS: readonly Pattern[] = [
  { name: "RED_ACTIVE", meaning: "the red zone of an allocated object (SLAB)", value: 0xd841_56c5_6356_88c0n },
  { name: "RED_INACTIVE", meaning: "the red zone of a free object (SLAB)", value: 0x09f9_1102_9d74_e35bn },
  { name: "STACKLEAK_POISON", meaning: "erased kernel stack", value: 0xffff_ffff_ffff_4111n },
];

/** Patterns by their high 32 bits, so that a word that is none costs one look-up. */
const BY_HIGH_HALF: ReadonlyMap<number, readonly Pattern[]> = index();

function index(): Map<number, Pattern[]> {
  const all: Pattern[] = [
    ...POINTERS.map(([offset, name, meaning]) => ({ name, meaning, value: ILLEGAL_POINTER + offset })),
    ...BYTES.map(([byte, name, meaning]) => ({ name, meaning, value: BigInt(byte) * 0x0101_0101_0101_0101n })),
    ...WORDS,
  ];
  const found = new Map<number, Pattern[]>();
  for (const pattern of all) {
    // A pointer below the first poison borrows from the high half.
    for (const high of new Set([-NEAR, 0n, NEAR].map((near) => Number(BigInt.asUintN(64, pattern.value + near) >> 32n)))) {
      const list = found.get(high);
      if (list === undefined) found.set(high, [pattern]);
      else list.push(pattern);
    }
  }
  return found;
}

/** The poison that a word is, or lies near; undefined when it is none. An exact match comes before a near one. */
export function poisonOf(word: bigint): Poison | undefined {
  const patterns = BY_HIGH_HALF.get(Number(BigInt.asUintN(64, word) >> 32n));
  if (patterns === undefined) return undefined;
  let best: Poison | undefined;
  for (const pattern of patterns) {
    const offset = BigInt.asIntN(64, word - pattern.value);
    if (offset <= -NEAR || offset >= NEAR) continue;
    const near = Number(offset);
    if (near !== 0 && ONLY_EXACT.has(pattern.name)) continue;
    // Of equal distances the one below: a member of what the pointer should lead to.
    if (best === undefined || isNearer(near, best.offset)) best = { ...pattern, offset: near };
  }
  return best;
}

/** Marks in a word that is no pointer: nobody goes on from them to a member. */
const ONLY_EXACT = new Set(["PP_SIGNATURE", "TAIL_MAPPING", "TIMER_ENTRY_STATIC", "STACK_DEPOT_POISON"]);

/** Lists stand at multiples of eight in the structures around them. */
function isNearer(offset: number, than: number): boolean {
  const isAligned = offset % 8 === 0;
  return isAligned === (than % 8 === 0) ? Math.abs(offset) < Math.abs(than) : isAligned;
}
