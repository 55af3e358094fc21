import { expect, test } from "vitest";
import { faultOfEsr } from "./arm64-esr.ts";

test.each([
  [0x96000004n, "read", "data abort, read, level 0 translation fault"],
  [0x96000045n, "write", "data abort, write, level 1 translation fault"],
  [0x9600004fn, "write", "data abort, write, level 3 permission fault"],
  [0x96000010n, "read", "data abort, read, synchronous external abort"],
  [0x96000021n, "read", "data abort, read, alignment fault"],
  [0x86000004n, "execute", "instruction abort, level 0 translation fault"],
  [0xf2000800n, "unknown", "BRK instruction"],
  [0x8a000000n, "unknown", "pc alignment fault"],
])("0x%s", (esr, access, reason) => {
  expect(faultOfEsr(esr)).toMatchObject({ access, reason });
});
