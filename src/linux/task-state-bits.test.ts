import { describe, expect, test } from "vitest";
import { stateLetters, stateNames } from "./task-state.ts";
import { stateBits } from "./task-state-bits.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const TABLE = 0xffff_ffff_8180_0000n;

function bits(letters: string) {
  const fake = new FakeKernel({});
  fake.symbol("task_state_array", TABLE);
  [...`R${letters}`].forEach((letter, i) => {
    fake.memory.put64(TABLE + BigInt(i * 8), TABLE + 0x1000n + BigInt(i * 32));
    fake.memory.putText(TABLE + 0x1000n + BigInt(i * 32), `${letter} (some state)\0`);
  });
  // Behind the table lies another one.
  fake.memory.put64(TABLE + BigInt((letters.length + 1) * 8), TABLE + 0x1800n);
  fake.memory.putText(TABLE + 0x1800n, "Umask:\0");
  return stateBits(fake.kernel);
}

describe("stateBits", () => {
  test("3.10: every state has a name, zombie before dead", () => {
    const { state, exitState } = bits("SDTtZXxKWP");
    expect([1, 2, 4, 8, 64, 512].map((raw) => stateLetters(state(raw), 0))).toEqual(["IN", "UN", "ST", "TR", "DE", "PA"]);
    expect([16, 32].map((raw) => stateLetters(0, exitState(raw)))).toEqual(["ZO", "DE"]);
    // TASK_KILLABLE is TASK_UNINTERRUPTIBLE with TASK_WAKEKILL.
    expect(stateNames(state(130), 0)).toBe("TASK_UNINTERRUPTIBLE|TASK_WAKEKILL");
  });

  test("3.14 to 4.13: dead before zombie, the rest without names", () => {
    const { state, exitState } = bits("SDTtXZ");
    expect([16, 32].map((raw) => stateLetters(0, exitState(raw)))).toEqual(["DE", "ZO"]);
    expect([64, 256, 512, 1026, 2048].map((raw) => stateLetters(state(raw), 0))).toEqual(["DE", "WA", "PA", "ID", "NE"]);
  });

  test("4.14 and later, and kernels that do not list the table: as they are", () => {
    for (const { state } of [bits("SDTtXZPI"), stateBits(new FakeKernel({}).kernel)])
      for (const raw of [0, 1, 64, 128, 1026, 0x2001]) expect(state(raw)).toBe(raw);
  });
});
