/**
 * PCI buses and their devices (drivers/pci/probe.c, include/linux/pci.h).
 *
 *   pci_root_buses ⇄ pci_bus.node ⇄ …        pci_bus.devices ⇄ pci_dev.bus_list      a bridge's pci_dev.subordinate ─► the bus behind it
 */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { listNodes } from "./list.ts";

const MAX_DEVICES = 1 << 16;
const MAX_DEPTH = 64;

/** Names of the device/port types in the PCI Express capability (PCI_EXP_TYPE_*). */
const PORT_TYPES: Readonly<Record<number, string>> = {
  0: "ENDPOINT",
  1: "LEG_END",
  4: "ROOT_PORT",
  5: "UPSTREAM",
  6: "DOWNSTREAM",
  7: "PCI_BRIDGE",
  8: "PCIE_BRIDGE",
  9: "RC_END",
  10: "RC_EC",
};

export interface PciDevice {
  readonly address: VirtualAddress;
  /** "0000:00:02.0" */
  readonly name: string;
  /** Class and subclass: 0x0100 is SCSI storage. */
  readonly class: number;
  readonly vendor: number;
  readonly device: number;
  /** By its capability; a device without one reads as an endpoint, as crash has it. */
  readonly type: string;
  /** It has the capability. */
  readonly express: boolean;
  /** Name of its driver; undefined when none is bound. */
  readonly driver: string | undefined;
  /** The bus behind a bridge. */
  readonly bus: PciBus | undefined;
}

export interface PciBus {
  readonly address: VirtualAddress;
  readonly name: string;
  readonly devices: readonly PciDevice[];
}

export interface PciTree {
  readonly buses: readonly PciBus[];
  readonly notes: readonly string[];
}

/** All root buses. @throws LookupError when the kernel has no PCI */
export function pciTree(kernel: Kernel): PciTree {
  const notes: string[] = [];
  const reader = new PciReader(kernel, notes);
  const buses: PciBus[] = [];
  const link = kernel.types.struct("pci_bus").field("node");
  for (const node of reader.list(kernel.address("pci_root_buses"), "root buses")) {
    const bus = reader.bus(containerOf(node, link), 0);
    if (bus !== undefined) buses.push(bus);
  }
  return { buses, notes };
}

class PciReader {
  readonly #kernel: Kernel;
  readonly #notes: string[];
  readonly #seen = new Set<bigint>();

  constructor(kernel: Kernel, notes: string[]) {
    this.#kernel = kernel;
    this.#notes = notes;
  }

  bus(address: VirtualAddress, depth: number): PciBus | undefined {
    const { types } = this.#kernel;
    const struct = types.struct("pci_bus");
    if (this.#seen.has(address) || depth > MAX_DEPTH) {
      this.#notes.push(`the PCI bus at ${hex16(address)} is reached twice`);
      return undefined;
    }
    this.#seen.add(address);
    try {
      const name = struct.field("dev.kobj.name").pointer(address);
      const link = types.struct("pci_dev").field("bus_list");
      const devices: PciDevice[] = [];
      for (const node of this.list(struct.field("devices").address(address), `devices of the bus at ${hex16(address)}`)) {
        const device = this.#device(containerOf(node, link), depth);
        if (device !== undefined) devices.push(device);
      }
      return { address, name: this.#text(name), devices };
    } catch (error) {
      return this.#failed("PCI bus", address, error);
    }
  }

  #device(address: VirtualAddress, depth: number): PciDevice | undefined {
    const { types } = this.#kernel;
    const struct = types.struct("pci_dev");
    try {
      const behind = struct.field("subordinate").pointer(address);
      const flags = struct.tryField("pcie_flags_reg")?.number(address) ?? 0;
      const driver = struct.field("driver").pointer(address);
      const type = (flags >> 4) & 15;
      return {
        address,
        name: this.#text(struct.field("dev.kobj.name").pointer(address)),
        class: struct.field("class").number(address) >>> 8,
        vendor: struct.field("vendor").number(address),
        device: struct.field("device").number(address),
        type: PORT_TYPES[type] ?? `type ${type}`,
        express: (struct.tryField("pcie_cap")?.number(address) ?? 0) !== 0,
        driver: driver === 0n ? undefined : this.#text(types.struct("pci_driver").field("name").pointer(driver)),
        bus: behind === 0n ? undefined : this.bus(behind, depth + 1),
      };
    } catch (error) {
      return this.#failed("PCI device", address, error);
    }
  }

  /** Nodes of a list; where it breaks is noted. */
  *list(head: VirtualAddress, what: string): Iterable<VirtualAddress> {
    try {
      yield* listNodes(this.#kernel.memory, head, { limit: MAX_DEVICES });
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      this.#notes.push(`the list of ${what} breaks: ${error.message}`);
    }
  }

  #text(pointer: VirtualAddress): string {
    if (pointer === 0n) return "";
    try {
      return this.#kernel.memory.cString(pointer, 128);
    } catch (error) {
      if (error instanceof InquestError) return "(unreadable)";
      throw error;
    }
  }

  #failed(what: string, address: VirtualAddress, error: unknown): undefined {
    if (!(error instanceof InquestError)) throw error;
    this.#notes.push(`the ${what} at ${hex16(address)} cannot be read: ${error.message}`);
    return undefined;
  }
}
