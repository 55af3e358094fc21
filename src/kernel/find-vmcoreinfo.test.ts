import { describe, expect, test } from "vitest";
import { MemoryBuilder } from "../arch/testing/build-memory.ts";
import { findVmcoreinfo, vmcoreinfoAt } from "./find-vmcoreinfo.ts";

const TEXT = "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffffffff82610000\n";

function memoryWith(pages: readonly (readonly [page: number, at: number, text: string])[], pageSize = 4096) {
  const builder = new MemoryBuilder(pageSize);
  builder.allocate(4);
  for (const [page, at, text] of pages) (builder.pages.get(0x100 + page) as Uint8Array).set(new TextEncoder().encode(text), at);
  return builder;
}

describe("findVmcoreinfo", () => {
  test("finds every text that starts a 4 KiB page, and no other", () => {
    const builder = memoryWith([
      [0, 0, TEXT],
      [1, 8, TEXT],
      [2, 0, "OSRELEASE=6.1.0\nsomething else"],
      [3, 0, TEXT.replace("6.1.0", "5.10.0")],
    ]);
    expect([...findVmcoreinfo(builder.memory())]).toEqual([TEXT, TEXT.replace("6.1.0", "5.10.0")]);
    builder.excluded.add(0x100);
    expect([...findVmcoreinfo(builder.memory())]).toEqual([TEXT.replace("6.1.0", "5.10.0")]);
  });

  test("looks at each 4 KiB of larger pages, and texts may cross them", () => {
    const long = `${TEXT}${"NUMBER(PG_lru)=5\n".repeat(400)}`;
    const builder = memoryWith([[1, 8192, long]], 16384);
    expect([...findVmcoreinfo(builder.memory())]).toEqual([long]);
    expect(vmcoreinfoAt(builder.memory(), BigInt(0x101 * 16384 + 8192))).toBe(long);
  });

  test("a text is cut where its page is missing or where it is no text", () => {
    const builder = memoryWith([[0, 0, `${TEXT}\u0001rest`]]);
    expect([...findVmcoreinfo(builder.memory())]).toEqual([TEXT]);
  });
});
