import { expect, it } from "vitest";
import { errnoName } from "./errno.ts";
import { poisonOf } from "./poison.ts";

it.each([
  [0xdead_0000_0000_0100n, "LIST_POISON1", 0],
  [0xdead_0000_0000_0122n, "LIST_POISON2", 0],
  // A member of what LIST_POISON1 should lead to, and the structure around it.
  [0xdead_0000_0000_0108n, "LIST_POISON1", 8],
  [0xdead_0000_0000_00f8n, "LIST_POISON1", -8],
  // container_of() of a member far in: the high half borrows.
  [0xdeac_ffff_ffff_fd00n, "LIST_POISON1", -0x400],
  // Nearer to a mark of pages, but nobody goes on from that one.
  [0xdead_0000_0000_0098n, "LIST_POISON1", -0x68],
  [0xdead_0000_0000_0112n, "LIST_POISON2", -0x10],
  [0xdead_0000_0000_0040n, "PP_SIGNATURE", 0],
  [0x6b6b_6b6b_6b6b_6b6bn, "POISON_FREE", 0],
  [0x6b6b_6b6b_6b6b_6b73n, "POISON_FREE", 8],
  [0x5a5a_5a5a_5a5a_5a5an, "POISON_INUSE", 0],
  [0xcccc_cccc_cccc_cccdn, "SLUB_RED_ACTIVE", 1],
  [0xffff_ffff_ffff_4111n, "STACKLEAK_POISON", 0],
])("%x is %s at %s", (word, name, offset) => {
  expect(poisonOf(word)).toMatchObject({ name, offset });
});

it.each([0n, 0x6b6b_6b6bn, 0x6b6b_6b6b_6b6b_0000n, 0xdead_0000_0001_0000n, 0xdead_beef_0000_0100n, 0xffff_8880_0000_0000n])(
  "%x is no poison",
  (word) => {
    expect(poisonOf(word)).toBeUndefined();
  },
);

it("names error numbers as errno.h does", () => {
  expect([1, 12, 22, 34, 35, 40, 42, 110, 133, 512, 516, 517, 524, 531].map(errnoName)).toEqual(
    "EPERM ENOMEM EINVAL ERANGE EDEADLK ELOOP ENOMSG ETIMEDOUT EHWPOISON ERESTARTSYS ERESTART_RESTARTBLOCK EPROBE_DEFER ENOTSUPP ENOGRACE".split(
      " ",
    ),
  );
  expect([0, 41, 58, 134, 520, 532, 4095].map(errnoName)).toEqual(new Array(7).fill(undefined));
});
