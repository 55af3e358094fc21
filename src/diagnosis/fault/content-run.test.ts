import { expect, it } from "vitest";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import { contentRun, letters, numbersOver } from "./content-run.ts";

const AT = 0xffff_8880_0000_1000n;

function run(text: string, offset: number) {
  const memory = new SparseMemory().text(AT, text);
  const kernel = smallKernel({ memory });
  const found = contentRun(kernel, AT + BigInt(offset), memory.u64((AT + BigInt(offset)) as never));
  return found === undefined
    ? undefined
    : { kind: found.kind, from: Number(found.start - AT), to: Number(found.end - AT), text: found.text };
}

it("finds text from its first to its last letter", () => {
  expect(run("\x01\x02abcdefghijklmnopqrstuvwx\x00", 8)).toEqual({ kind: "text", from: 2, to: 26, text: '"abcdefghijklmnopqrstuvwx"' });
});

it("takes the end of a string for one, when enough stands before it", () => {
  expect(run("a name that is far too long\x00\x00\x00\x00\x00", 20)).toMatchObject({ kind: "text", from: 0, to: 27 });
  expect(run("\x00\x00\x00\x00\x00\x00\x00\x00only\x00\x00\x00\x00", 8)).toBeUndefined();
});

it("finds bytes that repeat, and takes no poison for a pattern", () => {
  expect(run(`\x01${"\x37".repeat(40)}\x02`, 8)).toMatchObject({ kind: "pattern", from: 1, to: 41 });
  expect(run("\x6b".repeat(40), 8)).toBeUndefined();
  expect(run("\x00".repeat(40), 8)).toBeUndefined();
});

it("says nothing of a word that stands alone, or is partly text", () => {
  expect(run("\x00\x00\x00\x00\x00\x00\x00\x00abcdefgh\x00\x00\x00\x00", 8)).toBeUndefined();
  expect(run("abcdefghab\x01\x80\x81\xff\xff\xffabcdefgh", 8)).toBeUndefined();
});

it("takes numbers over a pointer for more of those before it, and others not", () => {
  const over = (word: bigint, before = [0x12, 0x14, 0x16, 0x18]) => {
    const memory = new SparseMemory();
    for (const [i, value] of before.entries()) memory.put(AT - 16n + BigInt(i * 4), value, 4);
    return numbersOver(smallKernel({ memory }), AT, word, 16);
  };
  expect(over(0x1c_0000_001an)).toMatchObject({ start: AT - 16n, end: AT + 8n });
  // One half is of another size, or nothing stands before.
  expect(over(0x5555_0000_001an)).toBeUndefined();
  expect(over(0x1an)).toBeUndefined();
  expect(over(0x1c_0000_001an, [0, 0, 0x16, 0x18])).toBeUndefined();
});

it("begins no run before the memory that the word lies in", () => {
  const memory = new SparseMemory().text(AT, "of the page before: of this page, 40 bytes of it are enough");
  const word = memory.u64((AT + 24n) as never);
  expect(contentRun(smallKernel({ memory }), AT + 24n, word)?.start).toBe(AT);
  expect(contentRun(smallKernel({ memory }), AT + 24n, word, AT + 20n)).toMatchObject({ start: AT + 20n });
});

it("reads a value's bytes as text only where all of them are letters, and not always the same", () => {
  expect(letters(0x630a_7365_7479_6220n)).toBe(" bytes.c");
  expect(letters(0x0063_7365_7479_6220n)).toBeUndefined();
  expect(letters(0x2020_2020_2020_2020n)).toBeUndefined();
  expect(letters(0x6b6b_6b6b_6b6b_6b6bn)).toBeUndefined();
});
