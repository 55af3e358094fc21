import { describe, expect, test } from "vitest";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { fileSystemChain } from "./file-system-types.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const HEAD = 0xffff_ffff_8200_0000n;
const TYPES = [0xffff_ffff_8210_0000n, 0xffff_ffff_c010_0000n, 0xffff_8880_0200_0000n] as const;
const SINGLE = { file_system_type: { name: [0, "u64"], next: [24, "u64"] } } as const;
const HLIST = {
  hlist_node: { next: [0, "u64"], pprev: [8, "u64"] },
  file_system_type: { name: [0, "u64"], list: [24, "hlist_node"] },
} as const;

function walked(fake: FakeKernel): readonly bigint[] {
  const chain = fileSystemChain(fake.kernel);
  const found: VirtualAddress[] = [];
  for (let type = chain.first(); type !== undefined && found.length < 10; type = chain.next(type)) found.push(type);
  return found;
}

/** @param inset where in the type the word before leads to */
function machine(table: ConstructorParameters<typeof FakeKernel>[0], inset: bigint): FakeKernel {
  const fake = new FakeKernel(table);
  fake.symbol("file_systems", HEAD);
  fake.memory.put64(HEAD, TYPES[0] + inset);
  for (const [i, type] of TYPES.entries()) {
    const next = TYPES[i + 1];
    fake.memory.put64(type + 24n, next === undefined ? 0n : next + inset);
  }
  return fake;
}

describe("the list of file systems", () => {
  test("is walked by next, and by the node of an hlist", () => {
    expect(walked(machine(SINGLE, 0n))).toEqual(TYPES);
    expect(walked(machine(HLIST, 24n))).toEqual(TYPES);
  });

  test("is entered at a type where it has no symbol", () => {
    const fake = new FakeKernel(HLIST);
    fake.memory.put64(TYPES[1] + 24n, TYPES[2] + 24n);
    const chain = fileSystemChain(fake.kernel);
    expect(chain.first()).toBeUndefined();
    expect(chain.next(virtual(TYPES[1]))).toBe(TYPES[2]);
    expect(chain.link.path).toBe("list.next");
  });
});
