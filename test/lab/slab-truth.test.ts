/**
 * Slab caches and objects held against the guest's own word, on every cached case: shapes and numbers against /proc/slabinfo, states of
 * objects against what the modules printed of theirs, and, for three kernels, every object in use against drgn.
 *
 * /proc/slabinfo was taken a while before the death: what is in use then moves in the caches that work in between goes through (saving
 * the truth, loading modules, the fault itself). All others must be equal to the last object.
 */
import { describe, expect, test } from "vitest";
import { builtCases, type CachedCase, cachedCases } from "../../lab/case-record.ts";
import { cachedPeers, runDrgn } from "../../lab/peers.ts";
import { truthOf } from "../../lab/truth.ts";
import { add } from "../../src/bytes/address.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { openKernel } from "../../src/kernel/open.ts";
import { Slabs } from "../../src/linux/slab.ts";
import { namedSlabCaches } from "../../src/linux/slab-aliases.ts";
import { findSlabCaches, slabCaches } from "../../src/linux/slab-caches.ts";
import { objectTracks, slabOwners, slabsOfCache } from "../../src/linux/slab-owners.ts";
import { slabObjectState, slabStates } from "../../src/linux/slab-state.ts";
import { slabNumbers } from "../../src/linux/slab-statistics.ts";
import { openBuilt } from "../support/built-kernel.ts";
import { openViews, viewCases } from "../support/views.ts";

const peers = cachedPeers();
const built = new Map(builtCases().map((lab) => [lab.id, lab]));
const cases = [...cachedCases(), ...built.values()]
  .filter((lab) => truthOf(lab).files.read("proc/slabinfo") !== undefined)
  .map((lab) => [lab.id, lab] as const);

/** Caches of what happens between the recording and the death: files written, pages cached, tasks that come and go, disk blocks, work. */
const BUSY =
  /^(bio-\d+|biovec-\w+|buffer_head|ext4_fc_dentry_update|\w*inode_cache|dentry|filp|kernfs_iattrs_cache|bdev_cache|radix_tree_node|maple_node|task_struct|lsm_\w+|skbuff_ext_cache|vm_area_struct|vma_lock|vmap_area|anon_vma(_chain)?|iommu_iova_magazine|kmalloc-\S+)$/;
/** Caches that were merged with a busy one under another name, on arm64. */
const MERGED = /^(pool_workqueue|numa_policy|shared_policy_node|pgd_cache)$/;
/** Kernels that keep no objects on CPUs, or count those that wait there, or give them back every other second (SLAB): all moves show. */
const FINE = ["slub_debug", "plain", "debug", "up", "nosyms"];

async function open(lab: CachedCase): Promise<Kernel> {
  const own = built.get(lab.id);
  return own === undefined ? openKernel(lab.dumps[0]?.files ?? []) : openBuilt(own);
}

describe.each(cases)("%s", (_id, lab) => {
  test("caches are those of /proc/slabinfo, with its numbers", async () => {
    const kernel = await open(lab);
    try {
      const truth = new Map(
        truthOf(lab)
          .slabs()
          .map((row) => [row.name, row]),
      );
      const { caches, problems } = slabCaches(kernel);
      expect(problems).toEqual([]);
      expect(caches.map(({ name }) => name)).toEqual([...truth.keys()]);
      let equal = 0;
      const moved: string[] = [];
      for (const cache of caches) {
        const row = truth.get(cache.name);
        const found = slabNumbers(kernel, cache);
        expect(found?.problems, cache.name).toEqual([]);
        const shape = { stride: cache.stride, objectsPerSlab: cache.objectsPerSlab, pagesPerSlab: cache.pagesPerSlab };
        expect(shape, cache.name).toEqual({
          stride: row?.objectSize,
          objectsPerSlab: row?.objectsPerSlab,
          pagesPerSlab: row?.pagesPerSlab,
        });
        if (found?.active === row?.active && found?.total === row?.total) equal++;
        else moved.push(cache.name);
        // What may never be, whatever moved.
        expect(found?.allocated, cache.name).toBeLessThanOrEqual(found?.active ?? -1);
        expect(found?.active, cache.name).toBeLessThanOrEqual(found?.total ?? -1);
        expect(found?.allocated, cache.name).toBeGreaterThanOrEqual(0);
      }
      const fine = FINE.some((word) => `${lab.kernel.flavour} ${lab.append}`.includes(word));
      if (!fine) expect(moved.filter((name) => !BUSY.test(name) && !MERGED.test(name))).toEqual([]);
      expect(equal / caches.length).toBeGreaterThan(fine ? 0.5 : 0.85);
      console.log(`slab caches of ${lab.id}: ${equal} of ${caches.length} as slabinfo said, moved: ${moved.join(" ")}`);
    } finally {
      kernel.dump.close();
    }
  });
});

/** Which of lab_slab's widgets the scenario freed before the end. That of "overflow" failed the allocator's checks and was not taken. */
const FREED: Readonly<Record<string, number>> = { uaf: 7, double: 9 };

test.each(cases)("%s: the widgets of lab_slab are objects of their cache, in use or free", async (_id, lab) => {
  const kernel = await open(lab);
  try {
    const table = kernel.tryAddress("lab_slab_widgets");
    const [cache] = namedSlabCaches(kernel, "lab_widget");
    // Kernels without data symbols do not tell where the module keeps them, those without sysfs what the cache was merged into.
    if (table === undefined || cache === undefined) return;
    const states = new Map<number, string>();
    for (let i = 0; i < 100; i++) {
      const address = kernel.memory.u64(add(table, i * 8));
      // A module that came in and did not get to its end holds nothing.
      if (address === 0n) return;
      expect(Slabs.of(kernel)?.objectOf(address as never)).toMatchObject({ object: address, cacheAddress: cache.address, offset: 0 });
      const state = slabObjectState(kernel, address)?.state ?? "none";
      if (state !== "allocated") states.set(i, state);
    }
    const freed = FREED[lab.scenario];
    expect([...states]).toEqual(freed === undefined ? [] : [[freed, "free"]]);
  } finally {
    kernel.dump.close();
  }
});

describe.each(viewCases)("%s: objects", (_id, lab) => {
  test("are in use or free as the module said", async () => {
    const views = await openViews(lab);
    const { kernel } = views.session;
    const wrong: string[] = [];
    const places = new Map<string, number>();
    for (const { name, address, fields } of [...views.of("slab"), ...views.of("kmalloc")]) {
      if (address === undefined || fields.get("large") !== undefined) continue;
      const object = Slabs.of(kernel)?.objectOf(address as never);
      const state = slabObjectState(kernel, address);
      const cache = fields.get("cache");
      const own = object?.offset === 0 && (cache === undefined || object.cache === cache);
      // Slabs that became empty may have been given back, and be anything since; so may what was freed by kfree() last.
      const given = fields.get("how") === "emptied" || fields.get("state") === "free-last";
      const right =
        fields.get("state") === "allocated" ? own && state?.state === "allocated" : (own && state?.state === "free") || (given && !own);
      if (!right)
        wrong.push(`${cache ?? "kmalloc"} ${name} ${fields.get("state")} ${fields.get("how")}: ${object?.cache} ${JSON.stringify(state)}`);
      else if (state?.where !== undefined) places.set(state.where, (places.get(state.where) ?? 0) + 1);
    }
    console.log(`objects of ${lab.id}: ${[...places].map(([where, count]) => `${count} ${where}`).join(", ")}`);
    // The size classes of kmalloc() are shared with all the kernel: what was freed last may be in use again.
    expect(wrong.filter((line) => !line.startsWith("kmalloc") || !line.includes("free-last"))).toEqual([]);
    expect(wrong.length).toBeLessThan(4);
    expect(places.size).toBeGreaterThan(1);
    kernel.dump.close();
  });

  test.runIf(lab.append.includes("lab_views_tracked"))("have the owners that the module was", async () => {
    const views = await openViews(lab);
    const { kernel } = views.session;
    const tracked = views.of("slab").filter(({ fields }) => fields.get("cache") === "lab_views_tracked");
    const names = (stack: readonly bigint[] | undefined) => (stack ?? []).map((address) => kernel.symbolize(address as never) ?? "");
    for (const { address, fields } of tracked) {
      const tracks = objectTracks(kernel, address ?? 0n);
      expect(names(tracks?.allocated?.stack)).toContainEqual(expect.stringMatching(/^views_(new|allocate)\b/));
      if (fields.get("state") === "free")
        expect(names(tracks?.freed?.stack)).toContainEqual(expect.stringMatching(/^(views_(drop|free_all|free_local)|work_for_cpu_fn)\b/));
      else expect(tracks?.freed).toBeUndefined();
    }
    const groups = slabOwners(kernel, findSlabCaches(kernel, "lab_views_tracked"), "allocation").groups;
    expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(
      tracked.filter(({ fields }) => fields.get("state") === "allocated").length,
    );
    kernel.dump.close();
  });
});

/** Every object in use of each cache, as drgn finds them: by all pages of the machine. */
const DRGN_OBJECTS = (names: readonly string[]) => `
from drgn.helpers.linux import find_slab_cache, slab_cache_for_each_allocated_object
for name in ${JSON.stringify(names)}:
    cache = find_slab_cache(prog, name)
    print(name, *("%x" % each.value_() for each in slab_cache_for_each_allocated_object(cache, "char")))
`;
const DRGN_CACHES = ["lab_views_object", "lab_views_rcu", "task_struct", "kmalloc-64", "filp", "dentry"];
const drgnCases = viewCases.filter(([id, { vmlinux }]) => id.includes("amd64") && !id.startsWith("5.10") && vmlinux !== undefined);

describe.skipIf(peers === undefined).each(drgnCases)("%s: drgn", (_id, lab) => {
  test("finds the same objects in use", async () => {
    if (peers === undefined) return;
    const { session } = await openViews(lab);
    const result = await runDrgn(
      peers,
      lab.vmlinux,
      lab.dumps.find(({ name }) => name === "elf")?.files[0] ?? "",
      DRGN_OBJECTS(DRGN_CACHES),
      300_000,
    );
    const theirs = new Map(
      result.stdout
        .toString()
        .trim()
        .split("\n")
        .map((line) => line.split(" "))
        .map(([name, ...objects]) => [name ?? "", objects.sort()]),
    );
    for (const name of DRGN_CACHES) {
      const ours: string[] = [];
      for (const cache of findSlabCaches(session.kernel, name)) {
        for (const slab of slabsOfCache(session.kernel, cache)) {
          const states = slabStates(session.kernel, slab);
          for (let index = 0; index < slab.objects; index++)
            if (states?.state(index).state === "allocated")
              ours.push((slab.start + BigInt(index * cache.stride + cache.redLeftPad)).toString(16));
        }
      }
      expect(theirs.get(name)?.length ?? 0, `${name}: ${result.stderr}`).toBeGreaterThan(0);
      const own = new Set(ours);
      const beyond = (theirs.get(name) ?? []).filter((object) => !own.has(object));
      // drgn asks the online CPUs only, and the panic took all but CPU 0 out of them: what these keep it takes for used.
      // So it does what kfree_rcu() gave back and no grace period has freed yet.
      const kept = beyond.map((object) => slabObjectState(session.kernel, BigInt(`0x${object}`))?.where ?? object);
      expect(
        kept.filter((where) => !/^cpu ([1-9]\d* |\d+ rcu_free)/.test(where)),
        name,
      ).toEqual([]);
      expect(ours.length + beyond.length, name).toBe(theirs.get(name)?.length);
    }
    session.kernel.dump.close();
  });
});
