import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { Random } from "./testing/random.ts";
import { isXz, unxz } from "./xz.ts";

const hasTool = spawnSync("xz", ["--version"]).status === 0;
const LIMIT = 1 << 24;

function xz(data: Uint8Array, ...options: readonly string[]): Uint8Array {
  const made = spawnSync("xz", ["-c", ...options], { input: data, maxBuffer: LIMIT });
  if (made.status !== 0) throw new Error(made.stderr.toString());
  return new Uint8Array(made.stdout);
}

/** Data of all sorts: runs, repeats at all distances, noise. */
function sample(seed: number, size: number): Uint8Array {
  const random = new Random(seed);
  const data = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const length = Math.min(size - at, 1 + random.below(400));
    const kind = random.below(4);
    const from = random.below(at + 1);
    for (let i = 0; i < length; i++) {
      data[at + i] = kind === 0 ? 7 : kind === 1 ? random.below(256) : kind === 2 ? (data[from + i] as number) : (at + i) & 15;
    }
    at += length;
  }
  return data;
}

const TEXT = "the quick brown fox jumps over the lazy dog, the quick brown fox; 0123456789 0123456789 0123456789\n";
const PACKED = Uint8Array.from(
  Buffer.from(
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ABiAEFdADoaCM52x+Xp1gc0w9EOv85V4aq94OSPmAHdjeUHVJ5lJV8nOmp+tNNJAzhAIcrvULWfuzrYTYkdcIVL8sqm+9gAAAAAABp7SAf4ZkFqAAFdY9CmKPsftvN9AQAAAAAEWVo=",
    "base64",
  ),
);

describe("xz", () => {
  it("unpacks what the tool packed", () => {
    expect(isXz(PACKED)).toBe(true);
    expect(Buffer.from(unxz(PACKED, LIMIT)).toString()).toBe(TEXT);
    // Streams and padding one after another.
    const twice = Uint8Array.from([...PACKED, 0, 0, 0, 0, ...PACKED]);
    expect(Buffer.from(unxz(twice, LIMIT)).toString()).toBe(TEXT + TEXT);
  });

  it.skipIf(!hasTool)("unpacks every way of packing", () => {
    const options = [
      ["-0"],
      ["-6"],
      ["-9e", "--check=crc32"],
      ["--check=none", "--block-size=5000"],
      ["--check=sha256"],
      ["--lzma2=dict=4KiB,lc=0,lp=2,pb=0"],
      ["--lzma2=preset=1,lc=4,lp=0,pb=4"],
    ];
    for (const [i, each] of options.entries()) {
      for (const size of [0, 1, 300, 70_000, 200_000]) {
        const data = sample(i * 10 + size, size);
        const out = unxz(xz(data, ...each), LIMIT);
        expect(typeof out === "string" ? out : Buffer.compare(out, data), `${each.join(" ")} of ${size}`).toBe(0);
      }
    }
  });

  it("says what is wrong, in bounded memory", () => {
    expect(unxz(new Uint8Array(0), LIMIT)).toBe("xz: no input");
    expect(unxz(PACKED.subarray(0, 40), LIMIT)).toMatch(/^xz: /);
    expect(unxz(PACKED, 20)).toBe("xz: more than 20 bytes");
    const wrongCheck = PACKED.slice();
    const check = PACKED.length - 12 - 8 - 8;
    wrongCheck[check + 3] = (wrongCheck[check + 3] as number) ^ 1;
    expect(unxz(wrongCheck, LIMIT)).toBe("xz: the CRC-64 of a block differs");
  });

  it("survives damage: the very content, or a reason", () => {
    for (let seed = 0; seed < 600; seed++) {
      const random = new Random(seed);
      const bytes = PACKED.slice(0, seed % 5 === 0 ? random.below(PACKED.length) : PACKED.length);
      for (let i = 0; i < 2 && bytes.length > 0; i++) bytes[random.below(bytes.length)] = random.below(256);
      const out = unxz(bytes, LIMIT);
      // The index and the sizes in the footer are not needed to unpack.
      if (typeof out !== "string") expect(Buffer.from(out).toString()).toBe(TEXT);
      else expect(out).toMatch(/^xz: /);
    }
  });
});
