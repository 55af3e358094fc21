import { beforeEach, describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { SparseMemory, smallKernel } from "../../kernel/testing/small-kernel.ts";
import { checkChain, checkNode } from "./chain.ts";
import { pointerClass } from "./damage.ts";
import { singleBit, textOver, wordAt } from "./look.ts";
import { checkRing } from "./ring.ts";
import { checkTree } from "./tree.ts";

const BASE = 0xffff_8880_0001_0000n;
const at = (n: number): VirtualAddress => virtual(BASE + BigInt(n) * 0x100n);

let memory: SparseMemory;
let kernel: Kernel;

beforeEach(() => {
  memory = new SparseMemory();
  memory.write(BASE, new Uint8Array(0x4000));
  kernel = smallKernel({ memory });
  Object.assign(kernel.arch, {
    stripPointer: (address: bigint) => virtual(address),
    isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n,
  });
});

/** head ⇄ 1 ⇄ 2 ⇄ … */
function ring(count: number): void {
  for (let i = 0; i < count; i++) {
    memory.put(at(i), at((i + 1) % count));
    memory.put(at(i) + 8n, at((i + count - 1) % count));
  }
}

describe("a word of a dump", () => {
  it("is a number, or nowhere", () => {
    memory.put(at(1), 5n);
    expect(wordAt(kernel, at(1))).toBe(5n);
    expect(wordAt(kernel, 0x1234n)).toBe("nowhere");
    expect(wordAt(kernel, 0xffff_9999_0000_0000n)).toBe("nowhere");
  });

  it("differs in one bit, or in more", () => {
    expect(singleBit(0x10n, 0x30n)).toBe(5);
    expect(singleBit(0x10n, 0x10n)).toBeUndefined();
    expect(singleBit(0x10n, 0x03n)).toBeUndefined();
  });

  it("is text only when enough of it is", () => {
    memory.text(at(1) - 4n, "link is down, 12");
    expect(textOver(kernel, at(1))?.text).toBe("link is down, 12");
    expect(textOver(kernel, at(1))?.start).toBe(at(1) - 4n);
    memory.text(at(3), "kkkkkkkk");
    expect(textOver(kernel, at(3))).toBeUndefined();
  });
});

describe("a ring", () => {
  it("is whole", () => {
    ring(5);
    expect(checkRing(kernel, at(0), 100)).toEqual({ nodes: [1, 2, 3, 4].map(at), broken: [], whole: true });
  });

  it("tells the next that was damaged, and what it should be", () => {
    ring(5);
    memory.put(at(2), at(3) ^ 0x40n);
    const { nodes, broken } = checkRing(kernel, at(0), 100);
    expect(nodes).toEqual([1, 2, 3, 4].map(at));
    expect(broken).toEqual([{ node: at(2), link: "next", found: at(3) ^ 0x40n, expected: at(3), witness: at(3) + 8n }]);
  });

  it("tells the prev that was damaged", () => {
    ring(5);
    memory.put(at(3) + 8n, 0xdead_0000_0000_0122n);
    expect(checkRing(kernel, at(0), 100).broken).toEqual([
      { node: at(3), link: "prev", found: 0xdead_0000_0000_0122n, expected: at(2), witness: at(2) },
    ]);
  });

  it("tells a link that leads to a member far off, one bit away", () => {
    ring(9);
    memory.put(at(2), at(7));
    expect(checkRing(kernel, at(0), 100).broken).toMatchObject([{ node: at(2), link: "next", found: at(7), expected: at(3) }]);
    ring(9);
    memory.put(at(6) + 8n, at(1));
    expect(checkRing(kernel, at(0), 100).broken).toMatchObject([{ node: at(6), link: "prev", found: at(1), expected: at(5) }]);
  });

  it("is silent about a member beside it, and about one that several bits tell apart", () => {
    // As an entry that is being taken away leaves it.
    for (const [link, value] of [
      [at(2), at(4)],
      [at(2), at(2)],
      [at(2), at(8)],
      [at(6) + 8n, at(4)],
    ] as const) {
      ring(9);
      memory.put(link, value);
      expect(checkRing(kernel, at(0), 100).broken).toEqual([]);
    }
  });

  it("tells a node of which both are damaged, and a list of that one", () => {
    for (const count of [5, 2]) {
      ring(count);
      memory.put(at(1), 0xdead_0000_0000_0100n).put(at(1) + 8n, 0xdead_0000_0000_0122n);
      const { broken } = checkRing(kernel, at(0), 100);
      expect(broken.map(({ node, link, expected }) => [node, link, expected])).toEqual([
        [at(1), "next", at(count === 5 ? 2 : 0)],
        [at(1), "prev", at(0)],
      ]);
    }
  });

  it("takes a list that was being changed for what it is", () => {
    // list_add(): next->prev and the new entry are set, prev->next is not.
    ring(4);
    memory
      .put(at(7), at(2))
      .put(at(7) + 8n, at(1))
      .put(at(2) + 8n, at(7));
    expect(checkRing(kernel, at(0), 100).broken).toEqual([]);
    // __list_del(): next->prev is set, prev->next is not.
    ring(4);
    memory.put(at(3) + 8n, at(1));
    expect(checkRing(kernel, at(0), 100).broken).toEqual([]);
  });

  it("knows all its members only where both ends meet", () => {
    ring(6);
    memory.put(at(2), at(3) ^ 0x40n);
    expect(checkRing(kernel, at(0), 100).whole).toBe(true);
    // What lies between is lost.
    memory.put(at(5) + 8n, at(4) ^ 0x40n);
    expect(checkRing(kernel, at(0), 100)).toMatchObject({ nodes: [at(1), at(2), at(5)], whole: false });
  });

  it("ends in a circle without its head", () => {
    ring(4);
    memory.put(at(3), at(1)).put(at(1) + 8n, at(3));
    expect(checkRing(kernel, at(0), 100).nodes.length).toBeLessThan(10);
  });
});

describe("a chain", () => {
  const HEAD = at(20);
  /** head ─► 1 ─► 2 ─► … ─► NULL */
  function chain(count: number): void {
    memory.put(HEAD, at(1));
    for (let i = 1; i <= count; i++) {
      memory.put(at(i), i === count ? 0n : at(i + 1));
      memory.put(at(i) + 8n, i === 1 ? HEAD : at(i - 1));
    }
  }

  it("is whole, also with the lock of its head", () => {
    chain(3);
    expect(checkChain(kernel, HEAD, 100)).toEqual({ nodes: [1, 2, 3].map(at), broken: [] });
    memory.put(HEAD, at(1) | 1n);
    expect(checkChain(kernel, HEAD, 100).broken).toEqual([]);
    expect(checkNode(kernel, at(1))).toBeUndefined();
  });

  it("tells a next and a pprev with one bit too many", () => {
    chain(3);
    memory.put(at(1), at(2) ^ 0x1000n);
    expect(checkChain(kernel, HEAD, 100).broken).toMatchObject([{ address: at(1), expected: at(2), member: "next", node: at(1) }]);
    expect(checkNode(kernel, at(1))).toMatchObject({ address: at(1), expected: at(2) });
    chain(3);
    memory.put(at(2) + 8n, at(1) ^ 0x80n);
    expect(checkChain(kernel, HEAD, 100).broken).toMatchObject([{ address: at(2) + 8n, expected: at(1), member: "pprev" }]);
    expect(checkNode(kernel, at(2))).toMatchObject({ address: at(2) + 8n, expected: at(1) });
  });

  it("tells text over both words of a node, to which nobody leads back", () => {
    chain(3);
    memory.text(at(2), "link is down, 12");
    expect(checkNode(kernel, at(2))).toMatchObject({ address: at(2) + 8n, expected: undefined, member: "pprev" });
    // Something else that leads nowhere may be a way of the kernel's that is not known here.
    memory.put(at(2), 1n).put(at(2) + 8n, 0x1234n);
    expect(checkNode(kernel, at(2))).toBeUndefined();
  });

  it("says nothing of an entry that was just added, nor of one that is not hashed", () => {
    chain(3);
    // hlist_add_head_rcu(): the head leads to the new one, the first still names the head.
    memory
      .put(at(9), at(1))
      .put(at(9) + 8n, HEAD)
      .put(HEAD, at(9));
    expect(checkChain(kernel, HEAD, 100).broken).toEqual([]);
    memory.put(at(12), at(3)).put(at(12) + 8n, 0xdead_0000_0000_0122n);
    expect(checkNode(kernel, at(12))).toBeUndefined();
  });
});

describe("a red-black tree", () => {
  const ROOT = at(20);
  /** 2 above 1 and 3, black above red. */
  function tree(): void {
    memory
      .put(ROOT, at(2))
      .put(at(2), 1n)
      .put(at(2) + 8n, at(3))
      .put(at(2) + 16n, at(1));
    for (const leaf of [1, 3])
      memory
        .put(at(leaf), at(2))
        .put(at(leaf) + 8n, 0n)
        .put(at(leaf) + 16n, 0n);
  }

  it("is whole", () => {
    tree();
    expect(checkTree(kernel, ROOT, 100)).toEqual({ nodes: [at(2), at(1), at(3)], broken: [] });
  });

  it("tells a child and a parent with one bit too many", () => {
    tree();
    memory.put(at(2) + 8n, at(3) ^ 0x2000n);
    expect(checkTree(kernel, ROOT, 100).broken).toMatchObject([{ address: at(2) + 8n, expected: at(3), member: "rb_right" }]);
    tree();
    memory.put(at(1), at(2) ^ (1n << 40n));
    expect(checkTree(kernel, ROOT, 100).broken).toMatchObject([{ address: at(1), expected: at(2), member: "__rb_parent_color" }]);
  });

  it("says nothing of one that was being turned", () => {
    tree();
    memory.put(at(1), at(3));
    expect(checkTree(kernel, ROOT, 100).broken).toEqual([]);
  });
});

describe("the class of a wrong pointer", () => {
  const classOf = (found: bigint, expected: bigint | undefined, list = true) => {
    memory.put(at(1), found);
    return pointerClass(kernel, at(1), found, expected, list).class;
  };

  it("follows from what stands there", () => {
    expect(classOf(at(3) ^ 8n, at(3))).toBe("bit-flip");
    expect(classOf(0xdead_0000_0000_0100n, at(3))).toBe("list-corruption");
    expect(classOf(0x6b6b_6b6b_6b6b_6b6bn, at(3))).toBe("use-after-free");
    expect(classOf(at(9) + 24n, at(3))).toBe("list-corruption");
    expect(classOf(at(9) + 24n, undefined, false)).toBe("overwritten-pointer");
    memory.text(at(1) - 8n, "user=alice;session=9f");
    expect(pointerClass(kernel, at(1), 0x733b_6563_696c_613dn, at(3), true).class).toBe("overwritten-pointer");
  });
});
