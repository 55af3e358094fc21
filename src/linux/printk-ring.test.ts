import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { blockText, readRing, ringLayout } from "./printk-ring.ts";
import { FakeMemory, fakeTypes, type StructTable } from "./testing/fake-kernel.ts";

const TABLE: StructTable = {
  atomic_long_t: { counter: [0, "s64"] },
  prb_data_blk_lpos: { begin: [0, "u64"], next: [8, "u64"] },
  prb_desc: { state_var: [0, "atomic_long_t"], text_blk_lpos: [8, "prb_data_blk_lpos"] },
  prb_desc_ring: {
    count_bits: [0, "u32"],
    descs: [8, "u64"],
    infos: [16, "u64"],
    head_id: [24, "atomic_long_t"],
    tail_id: [32, "atomic_long_t"],
  },
  prb_data_ring: { size_bits: [0, "u32"], data: [8, "u64"], head_lpos: [16, "atomic_long_t"], tail_lpos: [24, "atomic_long_t"] },
  printk_ringbuffer: { desc_ring: [0, "prb_desc_ring"], text_data_ring: [48, "prb_data_ring"] },
  dev_printk_info: { subsystem: [0, "bytes16"], device: [16, "bytes48"] },
  printk_info: {
    seq: [0, "u64"],
    ts_nsec: [8, "u64"],
    text_len: [16, "u16"],
    facility: [18, "u8"],
    flags: [19, "bits5:0"],
    level: [19, "bits3:5"],
    caller_id: [20, "u32"],
    dev_info: [24, "dev_printk_info"],
  },
};

const RING = 0xffff_ffff_8200_0000n;
const DESCS = RING + 0x1000n;
const INFOS = RING + 0x2000n;
const DATA = RING + 0x8000n;
const COMMITTED = 1n;
const FINALIZED = 2n;
const REUSABLE = 3n;

/** Composes a ring as a writer would fill it: 2^countBits descriptors, 2^sizeBits bytes of text. */
class RingBuilder {
  readonly memory = new FakeMemory();
  readonly #countBits: number;
  readonly #sizeBits: number;
  #id: bigint;
  #lpos: bigint;
  #sequence = 0;

  constructor(countBits: number, sizeBits: number) {
    this.#countBits = countBits;
    this.#sizeBits = sizeBits;
    this.memory.write(DESCS, new Uint8Array(24 << countBits));
    this.memory.write(INFOS, new Uint8Array(88 << countBits));
    this.memory.write(DATA, new Uint8Array(1 << sizeBits));
    // The kernel begins one wrap below zero, so that the first wrap is soon met (DESC0_ID, BLK0_LPOS).
    this.#id = BigInt.asUintN(62, -(1n << BigInt(countBits)));
    this.#lpos = BigInt.asUintN(64, -(1n << BigInt(sizeBits)));
    this.memory.put32(RING, countBits);
    this.memory.put64(RING + 8n, DESCS);
    this.memory.put64(RING + 16n, INFOS);
    this.memory.put32(RING + 48n, sizeBits);
    this.memory.put64(RING + 56n, DATA);
    this.ids(this.#id, this.#id);
  }

  ids(tail: bigint, head: bigint): void {
    this.memory.put64(RING + 24n, head);
    this.memory.put64(RING + 32n, tail);
  }

  get nextId(): bigint {
    return this.#id;
  }

  /** Writes a record; `state` undefined gives a finalized one. Returns its id. */
  add(text: string, options: { state?: bigint; lpos?: readonly [bigint, bigint]; caller?: number; device?: string } = {}): bigint {
    const id = this.#id;
    const index = id & ((1n << BigInt(this.#countBits)) - 1n);
    const bytes = new TextEncoder().encode(text);
    const [begin, next] = options.lpos ?? this.#reserve(id, bytes);
    const descriptor = DESCS + index * 24n;
    this.memory.put64(descriptor, ((options.state ?? FINALIZED) << 62n) | id);
    this.memory.put64(descriptor + 8n, begin);
    this.memory.put64(descriptor + 16n, next);
    const info = INFOS + index * 88n;
    this.memory.write(info, new Uint8Array(88));
    this.memory.put64(info, BigInt(this.#sequence));
    this.memory.put64(info + 8n, BigInt(this.#sequence) * 1_000_000n);
    this.memory.put16(info + 16n, bytes.length);
    this.memory.put8(info + 19n, 6 << 5);
    this.memory.put32(info + 20n, options.caller ?? 1);
    if (options.device !== undefined) {
      this.memory.putText(info + 24n, "pci");
      this.memory.putText(info + 40n, options.device);
    }
    this.#sequence++;
    this.#id = BigInt.asUintN(62, id + 1n);
    const count = 1n << BigInt(this.#countBits);
    const oldest = BigInt.asUintN(62, -count);
    const written = BigInt(this.#sequence);
    this.ids(written < count ? oldest : BigInt.asUintN(62, id - count + 1n), id);
    return id;
  }

  /** Space for id and text, aligned to 8; a block that would cross the end goes to the start of the next wrap. */
  #reserve(id: bigint, bytes: Uint8Array): readonly [bigint, bigint] {
    const size = 1n << BigInt(this.#sizeBits);
    const length = BigInt(8 + Math.ceil(bytes.length / 8) * 8);
    const begin = this.#lpos;
    let next = BigInt.asUintN(64, begin + length);
    let at = begin & (size - 1n);
    if (begin >> BigInt(this.#sizeBits) !== BigInt.asUintN(64, next - 1n) >> BigInt(this.#sizeBits)) {
      next = BigInt.asUintN(64, (next & ~(size - 1n)) + length);
      this.memory.put64(DATA + at, id);
      at = 0n;
    }
    this.memory.put64(DATA + at, id);
    this.memory.write(DATA + at + 8n, new Uint8Array(Number(length) - 8));
    this.memory.write(DATA + at + 8n, bytes);
    this.#lpos = next;
    return [begin, next];
  }

  read() {
    const layout = ringLayout(fakeTypes(this.memory, TABLE));
    if (layout === undefined) throw new Error("no layout");
    return readRing(this.memory, layout, virtual(RING));
  }
}

describe("readRing", () => {
  test("yields the records in order with their members", () => {
    const ring = new RingBuilder(4, 12);
    ring.add("first");
    ring.add("second\nline", { caller: 0x8000_0003 | 0, device: "+pci:0000:00:01.0" });
    const { records, notes } = ring.read();
    expect(records.map(({ text }) => text)).toEqual(["first", "second\nline"]);
    expect(records[0]).toMatchObject({ sequence: 0, nanoseconds: 0n, level: 6, facility: 0, caller: "T1", dictionary: [] });
    expect(records[1]).toMatchObject({
      caller: "C3",
      dictionary: [
        ["SUBSYSTEM", "pci"],
        ["DEVICE", "+pci:0000:00:01.0"],
      ],
    });
    expect(notes).toEqual([]);
  });

  test("a block that would cross the end is read from the start", () => {
    const ring = new RingBuilder(6, 7);
    const texts = ["a".repeat(40), "b".repeat(40), "c".repeat(40)];
    for (const text of texts) ring.add(text);
    // 3 × 48 bytes in 128: the third lies at index 0 and has overwritten the first.
    expect(ring.read().records.at(-1)?.text).toBe(texts[2]);
  });

  test("a block that ends with the ring does not wrap", () => {
    const ring = new RingBuilder(6, 7);
    for (const letter of "abcd") ring.add(letter.repeat(24));
    expect(ring.read().records.map(({ text }) => text[0])).toEqual(["a", "b", "c", "d"]);
  });

  test("shows the newest records when ids have wrapped", () => {
    const ring = new RingBuilder(2, 12);
    for (let i = 0; i < 11; i++) ring.add(`record ${i}`);
    expect(ring.read().records.map(({ text }) => text)).toEqual(["record 7", "record 8", "record 9", "record 10"]);
  });

  test("shows committed and finalized records, not reserved and reusable ones", () => {
    const ring = new RingBuilder(4, 12);
    ring.add("finalized");
    ring.add("committed", { state: COMMITTED });
    ring.add("reusable", { state: REUSABLE });
    ring.add("reserved", { state: 0n });
    const { records, notes } = ring.read();
    expect(records.map(({ text }) => text)).toEqual(["finalized", "committed"]);
    expect(notes).toEqual(["a record was still being written when the kernel stopped"]);
  });

  test("an empty line is a record, lost data is a note", () => {
    const ring = new RingBuilder(4, 12);
    ring.add("", { lpos: [3n, 3n] });
    ring.add("", { lpos: [1n, 1n] });
    ring.add("after");
    const { records, notes } = ring.read();
    expect(records.map(({ text }) => text)).toEqual(["", "after"]);
    expect(notes).toHaveLength(1);
  });

  test("a descriptor that was reused for another id is left out", () => {
    const ring = new RingBuilder(4, 12);
    ring.add("kept");
    const id = ring.add("overwritten");
    ring.memory.put64(DESCS + (id & 15n) * 24n, (FINALIZED << 62n) | BigInt.asUintN(62, id + 16n));
    expect(ring.read().records.map(({ text }) => text)).toEqual(["kept"]);
  });

  test("refuses sizes that no kernel makes", () => {
    const ring = new RingBuilder(4, 12);
    ring.memory.put32(RING, 63);
    expect(() => ring.read()).toThrow(/2\^63/);
  });

  test("a head far beyond the tail is bounded by the ring", () => {
    const ring = new RingBuilder(4, 12);
    ring.add("only");
    ring.ids(0n, BigInt.asUintN(62, ring.nextId - 1n));
    const { records, notes } = ring.read();
    expect(records.map(({ text }) => text)).toEqual(["only"]);
    expect(notes[0]).toContain("only the last 16");
  });
});

describe("blockText", () => {
  const memory = new FakeMemory();
  memory.write(
    DATA,
    Uint8Array.from({ length: 128 }, (_, i) => i),
  );
  const ring = { data: virtual(DATA), sizeBits: 7 };

  test("skips the id and honours the shorter of text length and block", () => {
    expect([...(blockText(memory, ring, 16n, 32n, 3) as Uint8Array)]).toEqual([24, 25, 26]);
    expect(blockText(memory, ring, 16n, 32n, 500)).toHaveLength(8);
  });

  test("settles the wrap first and skips the id there", () => {
    expect([...(blockText(memory, ring, 120n, 128n + 24n, 2) as Uint8Array)]).toEqual([8, 9]);
  });

  test("only begin and next both odd mean a record without data", () => {
    expect(blockText(memory, ring, 3n, 3n, 0)).toHaveLength(0);
    expect(blockText(memory, ring, 1n, 1n, 0)).toBeUndefined();
  });

  test("positions that cannot belong together are no block", () => {
    expect(blockText(memory, ring, 0n, 512n, 8)).toBeUndefined();
    expect(blockText(memory, ring, 16n, 24n, 8)).toBeUndefined();
    expect(blockText(memory, ring, 32n, 16n, 8)).toBeUndefined();
  });
});
