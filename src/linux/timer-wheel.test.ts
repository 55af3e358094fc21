import { beforeEach, expect, test } from "vitest";
import { FakeKernel } from "./testing/fake-kernel.ts";
import { timerBases } from "./timer-wheel.ts";

const BASES = 0xffff_8880_0001_0000n;
const SIZE = 64;
const TIMER = (n: number) => 0xffff_8880_0002_0000n + BigInt(n) * 64n;

let fake: FakeKernel;

/** Two buckets a base; the first three words: clk, cpu. */
beforeEach(() => {
  fake = new FakeKernel({
    timer_base: { running_timer: [0, "u64"], clk: [8, "u64"], cpu: [16, "u32"], vectors: [24, "bytes16"], $size: [SIZE, ""] },
    timer_list: { entry: [0, "bytes16"], expires: [16, "u64"], function: [24, "u64"], flags: [32, "u32"] },
  });
  Object.assign(fake, { variableType: () => undefined, unknownSymbol: (name: string) => new Error(name) });
  Object.assign(fake.symbols, { byAddress: () => undefined });
  fake.symbol("timer_bases", BASES);
  fake.memory.write(BASES, new Uint8Array(4096));
  fake.memory.write(TIMER(0), new Uint8Array(4096));
  for (const index of [0, 1]) fake.memory.put64(BASES + BigInt(index * SIZE + 8), 4_294_900_000n);
});

function put(base: number, bucket: number, ...timers: number[]): void {
  let link = BASES + BigInt(base * SIZE + 24 + bucket * 8);
  for (const n of timers) {
    fake.memory.put64(link, TIMER(n));
    fake.memory.put64(TIMER(n) + 8n, link);
    fake.memory.put64(TIMER(n) + 16n, 4_294_900_000n + BigInt(n));
    link = TIMER(n);
  }
}

test("bases are those that name their CPU and stand at a jiffy; timers come by expiry", () => {
  put(0, 1, 3);
  put(0, 0, 2, 5);
  const notes: string[] = [];
  const bases = timerBases(fake.kernel, 0, notes);
  expect(bases.map(({ name }) => name)).toEqual(["BASE_STD", "BASE_DEF"]);
  expect(bases[0]?.timers.map(({ address }) => address)).toEqual([TIMER(2), TIMER(3), TIMER(5)]);
  expect(bases[1]?.timers).toEqual([]);
  expect(notes).toEqual([]);
});

test("three bases have the names of 6.9", () => {
  fake.memory.put64(BASES + BigInt(2 * SIZE + 8), 4_294_900_000n);
  expect(timerBases(fake.kernel, 0, []).map(({ name }) => name)).toEqual(["BASE_LOCAL", "BASE_GLOBAL", "BASE_DEF"]);
});

test("a bucket that runs in a circle, and one that leads to nowhere, cost only themselves", () => {
  put(0, 0, 2, 5);
  fake.memory.put64(TIMER(5), TIMER(2));
  fake.memory.put64(BASES + 24n + 8n, 0xdead_0000_0000n);
  const notes: string[] = [];
  const [base] = timerBases(fake.kernel, 0, notes);
  expect(base?.timers.map(({ address }) => address)).toEqual([TIMER(2), TIMER(5)]);
  expect(notes).toHaveLength(2);
  expect(notes[0]).toMatch(/bucket 0/);
  expect(notes[1]).toMatch(/bucket 1/);
});

test("without the symbol one line says what is missing", () => {
  fake.addresses.delete("timer_bases");
  expect(() => timerBases(fake.kernel, 0, [])).toThrow(/"timer_bases" is not among/);
});
