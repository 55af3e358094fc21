import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { tableNodes } from "./hash-chains.ts";

const TABLE = 0xffff_8880_0100_0000n;
const NODE = 0xffff_8880_0200_0000n;

test("chains end with NULL or an odd number; buckets that cannot be read, circles and wild pointers are told and cost only themselves", () => {
  const kernel = new FakeKernel({});
  const { memory } = kernel;
  // Buckets of 16 bytes with the pointer at 8; 512 of them are read at once.
  const bucket = (index: number, first: bigint) => memory.put64(TABLE + BigInt(index * 16 + 8), first);
  for (let i = 0; i < 512; i++) bucket(i, 1n);
  bucket(0, 0n);
  bucket(1, NODE);
  memory.put64(NODE, NODE + 64n);
  memory.put64(NODE + 64n, 0x203n);
  bucket(2, NODE + 128n);
  memory.put64(NODE + 128n, NODE + 128n);
  bucket(3, 0xdead_0000_0000_0000n);
  bucket(4, NODE + 192n);
  memory.put64(NODE + 192n, 0n);
  // 512 to 1023 lie on pages that are missing; what follows is there.
  bucket(1024, NODE + 256n);
  memory.put64(NODE + 256n, 1n);
  const notes: string[] = [];
  const table = { buckets: virtual(TABLE), count: 1025, size: 16, head: 8 };
  expect([...tableNodes(kernel.kernel, table, "the table", notes)]).toEqual([
    NODE,
    NODE + 64n,
    NODE + 128n,
    0xdead_0000_0000_0000n,
    NODE + 192n,
    NODE + 256n,
  ]);
  expect(notes).toEqual([
    expect.stringMatching(/^the table: bucket 2: .*circle/),
    expect.stringMatching(/^the table: bucket 3: virtual address dead000000000000/),
    "the table: buckets 512 to 1023 cannot be read",
  ]);
});

test("a table of more buckets than memory has is not walked", () => {
  const notes: string[] = [];
  const table = { buckets: virtual(TABLE), count: 2 ** 31, size: 8, head: 0 };
  expect([...tableNodes(new FakeKernel({}).kernel, table, "the table", notes)]).toEqual([]);
  expect(notes).toEqual(["the table: 2147483648 buckets of 8 bytes: the table is damaged"]);
});
