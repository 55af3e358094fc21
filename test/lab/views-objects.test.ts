/**
 * What an address is, against a module's word of the memory it holds and freed: slab objects in every state, kmalloc, pages, vmalloc areas,
 * per-CPU variables; on every cached case of "views".
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { numberField, numbersField, type ViewTruth } from "../../lab/views-truth.ts";
import { add, virtual } from "../../src/bytes/address.ts";
import { type JsonObject, objectsIn, openViews, type Views, viewCases, withAddress } from "../support/views.ts";

describe.each(viewCases)("%s", (_id, lab) => {
  let views: Views;
  beforeAll(async () => {
    views = await openViews(lab);
  });
  afterAll(() => views.session.kernel.dump.close());

  const hex = (address: bigint | undefined): string => (address ?? 0n).toString(16);
  /** What `whatis` says an address is, of one kind. */
  const roleOf = (address: bigint | undefined, kind: string): JsonObject | undefined =>
    [...objectsIn(views.ask(`whatis ${hex(address)}`))].find((object) => object.kind === kind);
  const stateOf = (role: JsonObject | undefined): string | undefined =>
    (role?.state as JsonObject | undefined)?.state as string | undefined;

  test("slab objects are allocated or free as the module left them, whichever list they are on", () => {
    const wrong: string[] = [];
    for (const object of views.of("slab")) {
      const role = roleOf(object.address, "slab object");
      const expected = object.fields.get("state") === "allocated" ? "allocated" : "free";
      if (role?.cache !== object.fields.get("cache") || stateOf(role) !== expected || role?.object !== `0x${hex(object.address)}`)
        wrong.push(`${object.name} (${object.fields.get("how")}): ${JSON.stringify(role)}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test("an address within an object leads to it", () => {
    const object = views.one("slab", "object-100");
    const role = roleOf((object.address ?? 0n) + 100n, "slab object");
    expect(role).toMatchObject({ object: `0x${hex(object.address)}`, offset: 100 });
  });

  test("the caches have as many objects in use as were left", () => {
    const answer = views.ask("kmem -s");
    for (const cache of views.of("cache")) {
      const [found] = withAddress(answer, cache.address, "address").filter(({ name }) => name === cache.name);
      const left = views.of("slab").filter(({ fields }) => fields.get("cache") === cache.name && fields.get("state") === "allocated");
      expect(found, cache.name).toMatchObject({ objectSize: numberField(cache, "size"), allocated: left.length });
    }
  });

  test("kmalloc", () => {
    for (const memory of views.of("kmalloc")) {
      const size = numberField(memory, "size");
      if (memory.fields.get("large") === "1") {
        // Beyond the caches: whole pages.
        expect(roleOf(memory.address, "slab object"), memory.name).toBeUndefined();
        expect(roleOf(memory.address, "page"), memory.name).toBeDefined();
        continue;
      }
      const role = roleOf(memory.address, "slab object");
      expect(role?.cache, memory.name).toMatch(/^kmalloc-/);
      expect(role?.objectSize, memory.name).toBeGreaterThanOrEqual(size);
      // What was freed last may be in other hands already, but for the time of a few instructions nobody asked.
      if (memory.fields.get("state") === "allocated") expect(stateOf(role), memory.name).toBe("allocated");
    }
  });

  test("pages by their address, frame and structure", () => {
    for (const page of views.of("page")) {
      const role = roleOf(page.address, "page");
      const structure = `0x${page.fields.get("page")}`;
      expect(role, page.name).toMatchObject({ pfn: numberField(page, "pfn"), page: structure });
      const own = roleOf(BigInt(structure), "struct page");
      expect(own, `struct of ${page.name}`).toMatchObject({ pfn: numberField(page, "pfn") });
      if (page.fields.get("state") === "freed-last") expect(JSON.stringify(role), page.name).toMatch(/free/);
      if (page.fields.get("state") === "allocated") expect(role?.use, page.name).toMatch(/allocated/);
    }
  });

  test("vmalloc areas, their pages and their contents", () => {
    const answer = views.ask("kmem -v");
    const { memory } = views.session.kernel;
    for (const area of views.of("vmalloc")) {
      const [found] = withAddress(answer, area.address, "start");
      if (area.fields.get("state") === "freed") continue;
      // With the guard page behind it.
      expect(found?.size, area.name).toBe(numberField(area, "size") + views.session.kernel.arch.pageSize);
      expect(String(found?.flags), area.name).toContain(area.fields.get("kind") === "vmap" ? "map" : "vmalloc");
      numbersField(area, "pfns").forEach((pfn, index) => {
        const at = add(virtual(area.address ?? 0n), index * views.session.kernel.arch.pageSize);
        expect(Number(memory.translate(at) / BigInt(views.session.kernel.arch.pageSize))).toBe(pfn);
        expect(memory.u8(at)).toBe(0x61 + index);
      });
    }
  });

  test("per-CPU variables", () => {
    const { kernel } = views.session;
    // A kernel that lists functions only hides where its chunks of per-CPU memory are, and a module's variables.
    const listsVariables = kernel.tryAddress("pcpu_unit_size") !== undefined;
    for (const variable of views.of("percpu")) {
      const first = numberField(variable, "first");
      kernel.perCpuOffsets.forEach((offset, cpu) => {
        if (offset === undefined) return;
        const at = kernel.perCpuAddress(virtual(variable.address ?? 0n), cpu);
        expect(kernel.memory.u64(at)).toBe(BigInt(first + cpu));
        if (cpu === 0) expect(at).toBe(BigInt(`0x${variable.fields.get("address0")}`));
        if (listsVariables) expect(roleOf(at, "per-CPU variable"), `${variable.name}, CPU ${cpu}`).toMatchObject({ cpu });
      });
      if (variable.fields.get("static") === "1" && kernel.tryAddress(variable.name) !== undefined)
        expect(valuesOf(variable)).toContain(String(first));
    }
  });

  /** A per-CPU variable by its name. */
  function valuesOf({ name }: ViewTruth): string {
    return [...views.session.execute(`p ${name}:a`).text({ radix: 10 })].join("\n");
  }
});
