/** `dev`: registered majors, claimed ports and memory, PCI, requests in flight. Layouts: crash's. */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isWrite, readBlockQueue } from "../linux/block-request.ts";
import { blockMajors, charMajors } from "../linux/char-device.ts";
import { type Disk, diskTable } from "../linux/disk.ts";
import { type PciBus, pciTree } from "../linux/pci.ts";
import { type Resource, resourceTree } from "../linux/resource.ts";
import { defineCommand, type Session } from "./command.ts";

export interface CharDeviceRow {
  readonly major: number;
  readonly name: string;
  readonly device: VirtualAddress | null;
  /** Name of the file_operations, or their address where no symbol is there. */
  readonly operations: string | null;
}

export interface BlockDeviceRow {
  readonly major: number;
  readonly name: string;
  readonly disk: VirtualAddress | null;
  readonly operations: string | null;
}

/** dev -d: requests that the driver has. */
export interface InFlightRow {
  readonly major: number;
  readonly disk: VirtualAddress;
  readonly name: string;
  readonly queue: VirtualAddress;
  readonly reads: number;
  readonly writes: number;
}

export interface DevResult {
  readonly characters?: readonly CharDeviceRow[];
  readonly blocks?: readonly BlockDeviceRow[];
  readonly ports?: readonly Resource[];
  readonly memory?: readonly Resource[];
  readonly buses?: readonly PciBus[];
  readonly inFlight?: readonly InFlightRow[];
  readonly notes: readonly string[];
}

/** What crash leaves out of -d: memory that plays a disk, and files that do. */
const NO_HARDWARE = /^(ram|loop)\d+$/;

export const dev = defineCommand<DevResult>({
  spec: {
    name: "dev",
    summary: "devices: majors, ports, PCI, requests in flight",
    synopsis: ["[-i | -p | -d | -D]", "-V | -v index [file]"],
    description: [
      "Lists the registered character and block majors with the device and the operations behind each: of a character major its first minor's, of a block major those of the disk that was added last.",
      "-i shows which I/O ports and physical addresses are claimed, parents before what lies within them; -p the PCI buses and their devices; -d the requests that each disk's driver has in flight (see blk for the requests themselves).",
      "-V and -v show dumps that drivers wrote into a kdump (NT_VMCOREDD notes of /proc/vmcore), when a dump has any.",
    ],
    options: [
      { flag: "-i", help: "I/O ports and physical addresses that are claimed" },
      { flag: "-p", help: "PCI buses and devices" },
      { flag: "-d", help: "requests in flight of each disk" },
      { flag: "-D", help: "the same, disks without any left out" },
      { flag: "-V", help: "list the device dumps inside the dump" },
      { flag: "-v", argument: "index", help: "show one of them, or copy it to a file" },
    ],
    operands: ["file"],
    examples: [
      ["dev", "which driver has which major"],
      ["dev -i", "who claimed which ports and addresses"],
      ["dev -p", "PCI devices"],
      ["dev -D", "disks with requests in flight"],
    ],
    differences: [
      "-d heads its columns READ and WRITE on every kernel: that is what is counted; crash says ASYNC and SYNC on kernels up to 5.15.",
      "Lists that break are told with their place, and the rest follows.",
      "-d of a kernel that lists functions only shows the disks that have an inode.",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const views = ["-i", "-p", "-d", "-D", "-V", "-v"].filter((flag) => args.has(flag));
    if (views.length > 1) throw new UsageError(`dev: ${views.join(" and ")} exclude each other`);
    const [view] = views;
    if (args.operands.length > 0 && view !== "-v") throw new UsageError(`dev: "${args.operands[0]}" is not expected`);
    switch (view) {
      case "-i":
        return resources(kernel);
      case "-p": {
        if (kernel.tryAddress("pci_root_buses") === undefined)
          throw new UnsupportedError("this kernel has no list of PCI buses (pci_root_buses)");
        const { buses, notes } = pciTree(kernel);
        return { buses, notes };
      }
      case "-d":
        return inFlight(session, true);
      case "-D":
        return inFlight(session, false);
      case "-V":
      case "-v":
        throw new UnsupportedError("no device dumps found in this dumpfile");
      default:
        return majors(kernel);
    }
  },
  // The library has no calls for devices.
  *text({ characters, blocks, ports, memory, buses, inFlight: rows, notes }) {
    if (characters !== undefined) yield* characterText(characters);
    if (characters !== undefined && blocks !== undefined) yield "";
    if (blocks !== undefined) yield* blockText(blocks);
    if (ports !== undefined) yield* resourceText(ports, (ports[0]?.end ?? 0n) < 0x10000n ? 4 : 8);
    if (ports !== undefined && memory !== undefined) yield "";
    if (memory !== undefined) yield* resourceText(memory, 8);
    for (const bus of buses ?? []) {
      yield "    ROOT BUS     BUSNAME";
      yield `${hex16(bus.address)} ${bus.name}`;
      yield* busText(bus, 1);
      yield "";
    }
    if (rows !== undefined) yield* inFlightText(rows);
    for (const note of notes) yield `(${note})`;
  },
});

function majors(kernel: Kernel): DevResult {
  const notes: string[] = [];
  const characters = attempt(notes, () => {
    const table = charMajors(kernel);
    notes.push(...table.notes);
    return table.majors.map(({ major, name, device, operations }) => ({
      major,
      name,
      device: device ?? null,
      operations: operations === undefined ? null : nameOf(kernel, operations),
    }));
  });
  const blocks = attempt(notes, () => {
    const table = blockMajors(kernel);
    notes.push(...table.notes);
    const disks = attempt(notes, () => {
      const found = diskTable(kernel);
      notes.push(...found.notes);
      return found.disks;
    });
    return table.majors.map(({ major, name }) => {
      const disk = lastDisk(disks ?? [], major);
      return { major, name, disk: disk?.address ?? null, operations: disk === undefined ? null : nameOf(kernel, disk.operations) };
    });
  });
  if (characters === undefined && blocks === undefined)
    throw new LookupError(`the tables of majors are not known: ${notes[0] ?? "chrdevs and major_names are no symbols of this dump"}`);
  return { ...(characters === undefined ? {} : { characters }), ...(blocks === undefined ? {} : { blocks }), notes };
}

/** The one that came last, as crash has it: blk lists all of them. */
function lastDisk(disks: readonly Disk[], major: number): Disk | undefined {
  return disks.findLast((disk) => disk.major === major);
}

function attempt<T>(notes: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(error.message);
    return undefined;
  }
}

function nameOf(kernel: Kernel, address: VirtualAddress): string {
  const found = kernel.symbols.byAddress(address);
  return found !== undefined && found.offset === 0 ? found.symbol.name : hex16(address);
}

function resources(kernel: Kernel): DevResult {
  const notes: string[] = [];
  const read = (root: string): readonly Resource[] | undefined => {
    const address = kernel.tryAddress(root);
    if (address === undefined) {
      notes.push(`${root} is no symbol of this dump`);
      return undefined;
    }
    const tree = resourceTree(kernel, address);
    notes.push(...tree.notes);
    return tree.resources;
  };
  const [ports, memory] = [read("ioport_resource"), read("iomem_resource")];
  return { ...(ports === undefined ? {} : { ports }), ...(memory === undefined ? {} : { memory }), notes };
}

function inFlight({ kernel, progress }: Session, all: boolean): DevResult {
  const { disks, notes: problems } = diskTable(kernel);
  const notes = [...problems];
  const rows: InFlightRow[] = [];
  for (const [done, disk] of disks.entries()) {
    progress?.("reading block queues:", done, disks.length);
    if (NO_HARDWARE.test(disk.name) || disk.queue === 0n) continue;
    const queue = readBlockQueue(kernel, disk.queue);
    for (const note of queue.notes) notes.push(`${disk.name}: ${note}`);
    const given = queue.requests.filter(({ state }) => state === "in flight");
    const writes = given.filter(isWrite).length;
    if (!all && given.length === 0) continue;
    rows.push({ major: disk.major, disk: disk.address, name: disk.name, queue: disk.queue, reads: given.length - writes, writes });
  }
  return { inFlight: rows, notes };
}

function* characterText(rows: readonly CharDeviceRow[]): Iterable<string> {
  yield "CHRDEV    NAME                 CDEV        OPERATIONS";
  for (const { major, name, device, operations } of rows) yield majorRow(major, name, 14, device, operations);
}

function* blockText(rows: readonly BlockDeviceRow[]): Iterable<string> {
  yield "BLKDEV    NAME                GENDISK      OPERATIONS";
  for (const { major, name, disk, operations } of rows) yield majorRow(major, name, 14, disk, operations);
}

function majorRow(major: number, name: string, width: number, address: VirtualAddress | null, operations: string | null): string {
  const head = `${String(major).padStart(4)}      ${name.padEnd(width)}`;
  return address === null ? `${head}      (none)` : `${head} ${hex16(address)}  ${operations ?? ""}`;
}

function* resourceText(resources: readonly Resource[], digits: number): Iterable<string> {
  const rows = resources.map(({ address, start, end, name }) => ({ address, name, range: `${hex(start, digits)}-${hex(end, digits)}` }));
  yield `    RESOURCE      ${centre("RANGE", 2 * digits + 1)}  NAME`;
  for (const { address, range, name } of rows) yield `${hex16(address)}  ${range}  ${name}`;
}

function hex(value: bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function centre(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return `${" ".repeat(Math.max(0, left))}${text}`.padEnd(width);
}

/** crash indents by two a bus, and so are the buses behind bridges here. */
function* busText(bus: PciBus, depth: number): Iterable<string> {
  const indent = "  ".repeat(depth);
  yield `${indent}    PCI DEV      DO:BU:SL.FN  CLASS   PCI_ID      TYPE`;
  for (const device of bus.devices) {
    const id = `${hex(BigInt(device.vendor), 4)}:${hex(BigInt(device.device), 4)}`;
    yield `${indent}${hex16(device.address)} ${device.name}  ${hex(BigInt(device.class), 4)}  ${id}  ${device.type}`;
    if (device.bus === undefined) continue;
    yield `${indent}  ${hex16(device.bus.address)} ${device.bus.name}`;
    if (device.bus.devices.length > 0) yield* busText(device.bus, depth + 2);
  }
}

function* inFlightText(rows: readonly InFlightRow[]): Iterable<string> {
  yield "MAJOR GENDISK            NAME       REQUEST_QUEUE      TOTAL  READ WRITE";
  for (const { major, disk, name, queue, reads, writes } of rows) {
    const counts = [reads + writes, reads, writes].map((count) => String(count).padStart(5)).join(" ");
    yield `${String(major).padStart(5)} ${hex16(disk)}   ${name.padEnd(10)} ${hex16(queue)}   ${counts}`;
  }
}
