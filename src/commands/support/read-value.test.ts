import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { array, CHAR, enumeration, INT, pointerTo, SparseMemory, struct, U8, ULONG } from "../../kernel/testing/small-kernel.ts";
import { Value } from "../../kernel/value.ts";
import { jsonChunks } from "../json.ts";
import { isCharacter, ValueReader } from "./read-value.ts";

const AT = 0xffff888000001000n;

test("the tree is what JSON shows", () => {
  const type = struct("s", [
    ["id", INT],
    ["flags", U8, 3],
    ["name", array(CHAR, 4)],
    ["next", pointerTo(INT)],
    ["kind", enumeration("kind", { A: 0, B: 1 })],
    ["big", ULONG],
  ]);
  const memory = new SparseMemory()
    .put(AT, -2, 4)
    .put(AT + 4n, 5, 1)
    .text(AT + 5n, "ab")
    .put(AT + 16n, 0xffffffff82000008n)
    .put(AT + 24n, 1, 4)
    .put(AT + 32n, 0xffffffffffffffffn);
  const reader = new ValueReader({ memory, label: (address) => (address === 0xffffffff82000008n ? { name: "x", offset: 8 } : undefined) });
  expect(JSON.parse(jsonChunks(reader.read(type, virtual(AT))).join(""))).toEqual({
    kind: "struct",
    type: "struct s",
    members: [
      { name: "id", offset: 0, value: { kind: "integer", type: "int", value: -2, size: 4, signed: true } },
      { name: "flags", offset: 4, value: { kind: "integer", type: "unsigned char", value: 5, size: 1, signed: false, bits: 3 } },
      { name: "name", offset: 5, value: { kind: "text", type: "char [4]", length: 4, text: "ab", raw: "ab\0" } },
      {
        name: "next",
        offset: 16,
        value: { kind: "pointer", type: "int *", value: "0xffffffff82000008", symbol: { name: "x", offset: 8 } },
      },
      { name: "kind", offset: 24, value: { kind: "enum", type: "enum kind", value: 1, names: ["B"] } },
      { name: "big", offset: 32, value: { kind: "integer", type: "unsigned long", value: "0xffffffffffffffff", size: 8, signed: false } },
    ],
  });
});

test("immediates and bitfields that were read already", () => {
  const reader = new ValueReader({ memory: new SparseMemory() });
  expect(reader.value(new Value(reader.memory, INT, { immediate: -7n }))).toMatchObject({ kind: "integer", value: -7 });
  expect(reader.immediate(pointerTo(CHAR), 0x10n)).toMatchObject({ kind: "pointer", value: 0x10n, unreadable: "not mapped" });
});

test("an array that is half there keeps its readable half", () => {
  const memory = new SparseMemory().put(AT + 0xffcn, 3, 4);
  const node = new ValueReader({ memory }).read(array(INT, 2), virtual(AT + 0xffcn));
  expect(node).toMatchObject({ kind: "array", length: 2, elements: [{ value: 3 }, { kind: "unreadable", address: AT + 0x1000n }] });
});

test("a huge array costs no more than print_max elements, a huge string a bounded read", () => {
  let reads = 0;
  class Counting extends SparseMemory {
    override bytes(address: Parameters<SparseMemory["bytes"]>[0], length: number): Uint8Array {
      reads++;
      return super.bytes(address, length);
    }
  }
  const memory = new Counting().put(AT, 0);
  const node = new ValueReader({ memory, printMax: 10 }).read(array(INT, 1 << 30), virtual(AT));
  expect(node).toMatchObject({ kind: "array", length: 1 << 30 });
  expect(reads).toBeLessThan(50);
  expect(new ValueReader({ memory }).read(array(CHAR, 1 << 30), virtual(AT))).toMatchObject({ kind: "text", truncated: true });
  expect(reads).toBeLessThan(500);
});

test("types that nest without end are cut off", () => {
  const loop: ReturnType<typeof struct> = { kind: "struct", name: "loop", size: 16, members: [] };
  // A damaged type table: a structure that holds two of itself.
  (loop.members as unknown[]).push({ name: "a", type: loop, bitOffset: 0 }, { name: "b", type: loop, bitOffset: 64 });
  const reader = new ValueReader({ memory: new SparseMemory().put(AT, 0) });
  let nodes = 0;
  const count = (node: ReturnType<ValueReader["read"]>): void => {
    nodes++;
    if (node.kind === "struct") for (const member of node.members) count(member.value);
  };
  count(reader.read(loop, virtual(AT)));
  expect(nodes).toBeLessThan(2_100_000);
  expect(nodes).toBeGreaterThan(1000);
});

test("which integers are characters", () => {
  expect([CHAR, U8, INT].map(isCharacter)).toEqual([true, true, false]);
});
