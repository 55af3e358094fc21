import { describe, expect, it } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { proofOfGuess } from "./guess-proof.ts";

describe("registers that the unwind guessed its way to", () => {
  const registers = { sp: 0xff5c_684b_c001_3cd8n } as never;
  const dying = [{ function: "oops_end" }] as never;

  it("are proved by the log's", () => {
    expect(proofOfGuess({ handler: [], registers }, 16)).toMatchObject({ agrees: true });
    expect(proofOfGuess({ handler: [], registers }, 7)).toMatchObject({ agrees: false });
  });

  it("or by a handler that gave up and by where they lie", () => {
    // 168 bytes below where the stack pointer was aligned to.
    const at = virtual(0xff5c_684b_c001_3c28n);
    expect(proofOfGuess({ handler: dying, at, registers }, 0)).toMatchObject({ agrees: true });
    expect(proofOfGuess({ handler: [], at, registers }, 0)).toMatchObject({ agrees: false });
    expect(proofOfGuess({ handler: dying, at: virtual(at - 0x400n), registers }, 0)).toMatchObject({ agrees: false });
  });
});
