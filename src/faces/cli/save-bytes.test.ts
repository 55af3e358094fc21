import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { savedBytes, writeSaved } from "./save-bytes.ts";

it("finds bytes for a file in a result, and nothing in others", () => {
  const bytes = Uint8Array.of(1, 2);
  expect(savedBytes({ rows: [], save: { file: "x", bytes } })).toEqual({ file: "x", bytes });
  for (const other of [undefined, 1, {}, { save: true }, { save: { file: "x" } }, { save: { file: 1, bytes } }])
    expect(savedBytes(other)).toBeUndefined();
});

it("writes them, or says why not", () => {
  const directory = mkdtempSync(join(tmpdir(), "inquest-save-"));
  try {
    const file = join(directory, "out.bin");
    writeSaved({ file, bytes: Uint8Array.of(0, 255, 7) });
    expect([...readFileSync(file)]).toEqual([0, 255, 7]);
    expect(() => writeSaved({ file: join(directory, "no", "out.bin"), bytes: new Uint8Array(1) })).toThrow("out.bin: ");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
