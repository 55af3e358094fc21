import { expect, it } from "vitest";
import { arm64Syndrome, x86PageFault } from "./error-code.ts";

it("x86-64 page faults", () => {
  expect(x86PageFault(0n)).toMatchObject({ access: "read", present: false, user: false });
  expect(x86PageFault(2n)).toMatchObject({ access: "write", present: false });
  expect(x86PageFault(3n)).toMatchObject({ access: "write", present: true, text: "write to a page that does not allow it" });
  expect(x86PageFault(0x10n)).toMatchObject({ access: "execute", present: false });
  expect(x86PageFault(7n).user).toBe(true);
  expect(x86PageFault(9n).text).toContain("reserved");
});

it("arm64 syndromes", () => {
  // 5.10-arm64-null, 6.1-arm64-irq, 6.12-arm64-call of the lab.
  expect(arm64Syndrome(0x9600_0006n)).toMatchObject({ access: "read", present: false, user: false, noAddress: false });
  expect(arm64Syndrome(0x9600_0046n)).toMatchObject({ access: "write", present: false });
  expect(arm64Syndrome(0x8600_0006n)).toMatchObject({ access: "execute", present: false });
  expect(arm64Syndrome(0x9600_004fn)).toMatchObject({ access: "write", present: true });
  expect(arm64Syndrome(0x9600_0410n).noAddress).toBe(true);
  // Cache maintenance is told as a write and is none.
  expect(arm64Syndrome(0x9600_0146n).access).toBe("unknown");
  expect(arm64Syndrome(0x9600_0011n).text).toContain("tag");
  expect(arm64Syndrome(0xf200_0800n)).toMatchObject({ access: "unknown", present: undefined, noAddress: true });
});
