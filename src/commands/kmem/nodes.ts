/** `kmem -n`: nodes, their zones, memory sections and memory blocks. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import { type MemoryBlock, type MemorySection, memoryBlocks, memorySections } from "../../linux/mem-section.ts";
import { PageMap } from "../../linux/page.ts";
import { unlessBroken, untilBroken } from "../../linux/until-broken.ts";
import { type MemoryNode, memoryNodes, type Zone } from "../../linux/zone.ts";
import { centre, noteLines } from "./columns.ts";
import { defineView } from "./view.ts";

interface Mapped {
  /** struct page of its first frame; absent for an empty one. */
  readonly memMap?: VirtualAddress;
}

export interface NodesView {
  readonly nodes: readonly (Omit<MemoryNode, "zones"> & Mapped & { readonly zones: readonly (Zone & Mapped)[] })[];
  readonly sections: readonly (MemorySection & Mapped)[];
  readonly blocks: readonly MemoryBlock[];
  /** Bytes of a page. */
  readonly pageSize: number;
  readonly notes: readonly string[];
}

export const nodes = defineView<NodesView>({
  options: [{ flag: "-n", help: "nodes, zones, memory sections and memory blocks" }],
  description: ["-n: STATE of a section is P present, M has a mem_map, O online, E early (there since boot), D device memory."],
  examples: [["kmem -n", "where memory lies"]],
  differences: ["-n: states of memory blocks are told where they are an enumeration too (6.19), which crash shows as UNKNOWN."],
  run({ kernel }, args) {
    if (args.operands.length > 0) throw new UsageError("kmem: -n takes no address");
    const found = memoryNodes(kernel);
    const notes = [...found.notes];
    const note = ({ message }: Error) => notes.includes(message) || notes.push(message);
    const map = PageMap.of(kernel);
    const mapped = (pfn: number): Mapped => {
      const memMap = map?.pageOf(pfn);
      return memMap === undefined ? {} : { memMap };
    };
    const sections = [...untilBroken(memorySections(kernel, note), note)];
    return {
      nodes: found.nodes.map((node) => ({
        ...node,
        ...mapped(node.startPfn),
        zones: node.zones.map((zone) => (zone.spanned === 0 ? zone : { ...zone, ...mapped(zone.startPfn) })),
      })),
      sections: sections.map((section) => ({ ...section, ...mapped(section.startPfn) })),
      blocks: unlessBroken(() => memoryBlocks(kernel, note), note) ?? [],
      pageSize: kernel.arch.pageSize,
      notes,
    };
  },
  *text({ nodes, sections, blocks, pageSize, notes }) {
    for (const [i, node] of nodes.entries()) {
      if (i > 0) yield "";
      yield* nodeLines(node, pageSize);
    }
    if (sections.length > 0) {
      yield "";
      yield "-------------------------------------------------------------------";
      yield "";
      yield "NR      SECTION        CODED_MEM_MAP        MEM_MAP       STATE PFN";
      for (const { number, address, coded, memMap, state, startPfn } of sections)
        yield `${String(number).padStart(2)}  ${hex16(address)}  ${hex16(coded)}  ${hex16(memMap ?? 0n)}  ${state.padEnd(5)} ${startPfn}`;
    }
    if (blocks.length > 0) {
      yield "";
      yield* blockLines(blocks);
    }
    yield* noteLines(notes);
  },
});

function* nodeLines(node: NodesView["nodes"][number], pageSize: number): Iterable<string> {
  const bytes = (pfn: number) => (BigInt(pfn) * BigInt(pageSize)).toString(16);
  yield "NODE    SIZE      PGLIST_DATA       BOOTMEM_DATA       NODE_ZONES   ";
  const [first, ...others] = node.zones.map(({ address }) => hex16(address));
  yield `${String(node.id).padStart(3)}   ${centre(String(node.spanned), 8)}  ${hex16(node.address)}  ${centre("----", 16, "left")}  ${first ?? ""}`;
  for (const address of others) yield `${" ".repeat(52)}${address}`;
  yield "    MEM_MAP          START_PADDR    START_MAPNR";
  yield `${hex16(node.memMap ?? 0n)}     ${centre(bytes(node.startPfn), 11)}    ${centre(String(node.startPfn), 11)}`;
  yield "";
  yield "ZONE  NAME         SIZE       MEM_MAP      START_PADDR  START_MAPNR";
  for (const { index, name, spanned, startPfn, memMap } of node.zones) {
    const map = memMap === undefined ? "0".padStart(16) : hex16(memMap);
    const [from, number] = spanned === 0 ? ["0", "0"] : [bytes(startPfn), String(startPfn)];
    yield `${String(index).padStart(3)}   ${name.padEnd(9)} ${String(spanned).padStart(7)}  ${map}  ${from.padStart(11)}  ${number.padStart(11)}`;
  }
}

function* blockLines(blocks: readonly MemoryBlock[]): Iterable<string> {
  const last = ({ end }: MemoryBlock) => (end === undefined ? "?" : (end - 1n).toString(16));
  const width = Math.max(...blocks.map((block) => last(block).length));
  const names = Math.max(...blocks.map(({ name }) => name.length));
  yield `   MEM_BLOCK        NAME      ${centre("PHYSICAL RANGE", 2 * width + 3)}  NODE  STATE   START_SECTION_NO`;
  for (const block of blocks) {
    const range = `${block.start.toString(16).padStart(width)} - ${last(block).padStart(width)}`;
    const node = block.node === undefined ? "-" : String(block.node);
    yield ` ${hex16(block.address)}   ${block.name.padEnd(names)}    ${range}  ${node.padEnd(4)} ${block.state.padEnd(7)} ${block.startSection}`;
  }
}
