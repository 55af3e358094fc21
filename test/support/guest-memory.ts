/**
 * What the guest said of its memory (/proc/meminfo, zoneinfo, buddyinfo, vmstat, vmallocinfo, swaps) against `kmem` and `swap`.
 *
 * Between the recording and the death the guest takes its own words away (a tmpfs of some 10 MiB) and starts the fault. What is fixed at
 * boot must be the same; what moves is tied together: pages that left the page cache are free now, and no longer committed.
 */
import { expect } from "vitest";
import type { Truth } from "../../lab/truth.ts";
import { hex16 } from "../../src/bytes/address.ts";
import type { Session } from "../../src/commands/command.ts";
import type { FreePagesView } from "../../src/commands/kmem/free-pages.ts";
import type { Usage } from "../../src/commands/kmem/usage.ts";
import type { ZonesView } from "../../src/commands/kmem/zones.ts";
import type { SwapResult } from "../../src/commands/swap.ts";
import { vmallocAreas } from "../../src/linux/vmalloc.ts";
import type { VmCounter } from "../../src/linux/vmstat.ts";
import { ask } from "./guest-word.ts";

interface ZoneTruth {
  readonly node: number;
  readonly name: string;
  readonly fixed: Readonly<Record<string, number>>;
  readonly protection: readonly number[];
}

/** Numbers of /proc/zoneinfo that are fixed once the machine is up. */
function zoneTruth(text: string): readonly ZoneTruth[] {
  return text
    .split(/^(?=Node )/m)
    .filter(Boolean)
    .map((part) => {
      const number = (name: string) => {
        const found = new RegExp(`^ +${name}:? +(\\d+)$`, "m").exec(part)?.[1];
        return found === undefined ? [] : [[name, Number(found)] as const];
      };
      const [, node = "", name = ""] = /^Node (\d+), zone +(\S+)/.exec(part) ?? [];
      const protection = /protection: \(([^)]*)\)/.exec(part)?.[1]?.split(", ").map(Number) ?? [];
      const names = ["min", "low", "high", "promo", "spanned", "present", "managed", "start_pfn"];
      return { node: Number(node), name, fixed: Object.fromEntries(names.flatMap(number)), protection };
    });
}

/** Zones, their sizes and watermarks. Returns how many were compared. */
export function checkZones(session: Session, truth: Truth): number {
  const told = zoneTruth(truth.text("proc/zoneinfo"));
  const { zones, notes } = ask<ZonesView>(session, "kmem -z");
  expect(notes).toEqual([]);
  expect(zones.map(({ node, name }) => `${node} ${name}`)).toEqual(told.map(({ node, name }) => `${node} ${name}`));
  for (const [i, { fixed, protection }] of told.entries()) {
    const zone = zones[i] as ZonesView["zones"][number];
    const { min, low, high, promo } = zone.watermarks;
    const own: Record<string, number | undefined> = {
      ...{ min, low, high, promo, spanned: zone.spanned, present: zone.present, managed: zone.managed, start_pfn: zone.startPfn },
    };
    // Zones without pages have no start in /proc/zoneinfo of newer kernels.
    for (const [name, value] of Object.entries(fixed)) expect(`${zone.name} ${name} ${own[name]}`).toBe(`${zone.name} ${name} ${value}`);
    expect(zone.reserve).toEqual(protection);
  }
  return told.length;
}

/** Free lists: what is found is what the kernel counts, CPUs' parts included. Returns how many pages were found. */
export function checkFreeLists(session: Session): number {
  const { zones = [], found = 0, notes } = ask<FreePagesView>(session, "kmem -f");
  expect(notes).toEqual([]);
  for (const zone of zones) {
    const pages = zone.lists.reduce((sum, list) => sum + list.pages, 0);
    expect(`${zone.name}: ${pages}`).toBe(`${zone.name}: ${zone.free + zone.pending}`);
  }
  return found;
}

const MIB = 1024;

/** Usage against /proc/meminfo. Returns the names of what this dump cannot tell. */
export function checkUsage(session: Session, truth: Truth, leaks: boolean): readonly string[] {
  const info = truth.meminfo();
  const own = ask<Usage>(session, "kmem -i");
  const kib = (pages: number | undefined) => (pages === undefined ? undefined : (pages * own.pageSize) / 1024);
  const told = (name: string) => info.get(name) ?? 0;
  const same = (name: string, value: number | undefined) => {
    if (value !== undefined) expect(`${name} ${value}`).toBe(`${name} ${told(name)}`);
  };
  same("MemTotal", kib(own.total));
  same("CommitLimit", kib(own.commitLimit));
  same("SwapTotal", kib(own.swapTotal));
  const near = (name: string, value: number | undefined, kibibytes: number) => {
    if (value !== undefined) expect(Math.abs(value - told(name)), `${name}: ${value} against ${told(name)}`).toBeLessThanOrEqual(kibibytes);
  };
  near("Buffers", kib(own.buffers), MIB);
  // A guest that leaks has nothing left of what it had.
  if (leaks) return unknownOf(own);
  // What left the page cache is free.
  if (own.cached !== undefined && own.free !== undefined) {
    const left = told("Cached") - (kib(own.cached) as number);
    near("MemFree", (kib(own.free) as number) - left, 24 * MIB);
    expect(left).toBeLessThan(48 * MIB);
  }
  // Each recorded file was an inode and a dentry; under PREEMPT_RT RCU gives more of them back later.
  near("Slab", kib(own.slab), Math.max(2 * MIB, told("Slab") * 0.5));
  near("SwapFree", kib(own.swapFree), 4 * MIB);
  // What left the page cache, a tmpfs, is no longer committed.
  if (own.committed !== undefined && own.cached !== undefined) {
    const left = told("Cached") - (kib(own.cached) as number);
    near("Committed_AS", (kib(own.committed) as number) + left, 16 * MIB);
  }
  if (own.hugeTotal !== undefined && info.has("Hugetlb")) expect(kib(own.hugeTotal)).toBe(told("Hugetlb"));
  return unknownOf(own);
}

const COUNTS = [
  "total",
  "free",
  "buffers",
  "cached",
  "slab",
  "hugeTotal",
  "hugeFree",
  "swapTotal",
  "swapFree",
  "commitLimit",
  "committed",
] as const;

function unknownOf(usage: Usage): readonly string[] {
  return COUNTS.filter((name) => usage[name] === undefined);
}

/** Events only grow. Returns how many have a line in /proc/vmstat. */
export function checkEvents(session: Session, truth: Truth): number {
  const told = new Map(
    truth
      .text("proc/vmstat")
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split(" ") as [string, string]),
  );
  const { tables } = ask<{ tables: readonly { name: string; counters: readonly VmCounter[] }[] }>(session, "kmem -V");
  const named = (table: string) =>
    (tables.find(({ name }) => name === table)?.counters ?? []).flatMap(({ name, value, pending }) => {
      const said = told.get(name.toLowerCase());
      return said === undefined ? [] : [{ name, value, pending, said: Number(said) }];
    });
  const events = named("VM_EVENT_STATES");
  expect(events.filter(({ value, said }) => value < said)).toEqual([]);
  // What a counter holds, CPUs' parts included, is never below zero.
  for (const { name, value, pending } of [...named("VM_ZONE_STAT"), ...named("VM_NODE_STAT")])
    expect(value + pending, name).toBeGreaterThanOrEqual(0);
  return events.length;
}

/** Lines of /proc/vmallocinfo without addresses, which are hashed, and without the sizes of functions. */
function areaTruth(text: string): readonly string[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.includes("unpurged vm_area"))
    .map((line) =>
      line
        .replace(/^\S+ +/, "")
        .replace(/ (vpages|N\d+=\d+|requested=\d+)/g, "")
        .replace(/(\+0x[0-9a-f]+)\/0x[0-9a-f]+/, "$1"),
    );
}

const SHOWN = ["ioremap", "vmalloc", "vmap", "user", "dma-coherent", "sparse"];

/** vmalloc areas: the same sizes, callers, pages and flags but for a few stacks of threads. Returns how many are the same. */
export function checkAreas(session: Session, truth: Truth): number {
  const { kernel } = session;
  const names = (truth.files.read("proc/kallsyms") ?? "") !== "";
  const own = vmallocAreas(kernel).busy.map((area) => {
    const words = [String(area.end - area.start)];
    if (area.vm === undefined) words.push("vm_map_ram");
    else if (area.caller !== 0n) words.push((names ? kernel.symbolize(area.caller) : undefined) ?? `0x${hex16(area.caller)}`);
    if (area.pageCount > 0) words.push(`pages=${area.pageCount}`);
    if (area.physical !== undefined) words.push(`phys=0x${hex16(area.physical)}`);
    return [...words, ...area.flagNames.filter((name) => SHOWN.includes(name))].join(" ");
  });
  const left = new Map<string, number>();
  for (const line of own) left.set(line, (left.get(line) ?? 0) + 1);
  const missing: string[] = [];
  for (const line of areaTruth(truth.text("proc/vmallocinfo"))) {
    const count = left.get(line) ?? 0;
    if (count === 0) missing.push(line);
    else left.set(line, count - 1);
  }
  const more = [...left].flatMap(([line, count]) => Array.from({ length: count }, () => line));
  expect([...missing, ...more].length, `only the guest: ${missing.join("; ")}\nonly ours: ${more.join("; ")}`).toBeLessThanOrEqual(8);
  return own.length - more.length;
}

/** Swap areas as /proc/swaps lists them. Returns how many there are. */
export function checkSwaps(session: Session, truth: Truth): number {
  const told = truth
    .text("proc/swaps")
    .split("\n")
    .slice(1)
    .filter(Boolean)
    .map((line) => line.trim().split(/\s+/));
  const { areas } = ask<SwapResult>(session, "swap");
  const rows = areas.map(({ path, kind, size, priority }) => [path, kind.toLowerCase(), String(size), String(priority)]);
  expect(rows).toEqual(told.map(([path, kind, size, , priority]) => [path, kind, size, priority]));
  for (const [i, { used }] of areas.entries()) expect(Math.abs(used - Number(told[i]?.[3]))).toBeLessThanOrEqual(4 * MIB);
  return areas.length;
}
