import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { savedBytes as bytesFor, savedChunks } from "../../commands/saved-bytes.ts";
import { savedBytes, writeSaved } from "./save-bytes.ts";

it("finds what a result wants saved, and nothing in others", () => {
  const save = bytesFor("x", Uint8Array.of(1, 2));
  expect(savedBytes({ rows: [], save })).toBe(save);
  expect(JSON.stringify({ save })).toBe('{"save":{"file":"x","length":2}}');
  for (const other of [undefined, 1, {}, { save: true }, { save: { file: "x" } }, { save: { file: 1, chunks: () => [] } }])
    expect(savedBytes(other)).toBeUndefined();
});

it("writes chunks and holes, or says why not; what came before a failure stays", () => {
  const directory = mkdtempSync(join(tmpdir(), "inquest-save-"));
  try {
    const file = join(directory, "out.bin");
    writeSaved(bytesFor(file, Uint8Array.of(0, 255, 7)));
    expect([...readFileSync(file)]).toEqual([0, 255, 7]);
    writeSaved(savedChunks(file, () => [Uint8Array.of(1), 1 << 20, Uint8Array.of(2), 5]));
    expect(statSync(file).size).toBe((1 << 20) + 7);
    expect(statSync(file).blocks * 512).toBeLessThan(1 << 20);
    expect(readFileSync(file)[(1 << 20) + 1]).toBe(2);
    const broken = savedChunks(file, function* () {
      yield Uint8Array.of(9);
      throw new Error("torn");
    });
    expect(() => writeSaved(broken)).toThrow("torn");
    expect([...readFileSync(file)]).toEqual([9]);
    expect(() => writeSaved(bytesFor(join(directory, "no", "out.bin"), new Uint8Array(1)))).toThrow("out.bin: ");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
