import { beforeEach, describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { netDevices } from "./device.ts";
import { netNamespaces } from "./namespace.ts";

const NET = 0xffff_8880_0010_0000n;
const OTHER = 0xffff_8880_0011_0000n;
const LIST = 0xffff_8880_0012_0000n;
const TABLE = 0xffff_8880_0013_0000n;
const LO = 0xffff_8880_0020_0000n;
const ETH = 0xffff_8880_0021_0000n;
const V4 = 0xffff_8880_0030_0000n;
const V6 = 0xffff_8880_0031_0000n;

let kernel: FakeKernel;

function link(from: bigint, to: bigint): void {
  kernel.memory.put64(from, to);
  kernel.memory.put64(to + 8n, from);
}

function makeDevice(at: bigint, name: string, index: number): void {
  const { memory } = kernel;
  memory.write(at, new Uint8Array(256));
  memory.putText(at, name);
  memory.put32(at + 48n, index);
  memory.put32(at + 56n, 1500);
  memory.put16(at + 60n, 1);
  memory.put8(at + 62n, 6);
  memory.put64(at + 64n, at + 200n);
  memory.write(at + 200n, Uint8Array.of(2, 0, 0, 0, 0, index));
  memory.put64(at + 88n, NET);
}

beforeEach(() => {
  kernel = new FakeKernel({
    list_head: { next: [0, "u64"], prev: [8, "u64"] },
    ns_common: { inum: [0, "u32"] },
    net: {
      list: [0, "list_head"],
      ns: [16, "ns_common"],
      dev_base_head: [32, "list_head"],
      dev_index_head: [48, "u64"],
      loopback_dev: [56, "u64"],
    },
    net_device: {
      name: [0, "bytes16"],
      dev_list: [16, "list_head"],
      index_hlist: [32, "list_head"],
      ifindex: [48, "s32"],
      flags: [52, "u32"],
      mtu: [56, "u32"],
      type: [60, "u16"],
      addr_len: [62, "u8"],
      dev_addr: [64, "u64"],
      ip_ptr: [72, "u64"],
      ip6_ptr: [80, "u64"],
      nd_net: [88, "u64"],
    },
    in_device: { ifa_list: [0, "u64"] },
    in_ifaddr: { ifa_next: [0, "u64"], ifa_local: [8, "u32"], ifa_prefixlen: [12, "u8"] },
    inet6_dev: { addr_list: [0, "list_head"] },
    inet6_ifaddr: { addr: [0, "bytes16"], prefix_len: [16, "u32"], if_list: [24, "list_head"] },
  });
  const { memory } = kernel;
  memory.write(NET, new Uint8Array(64));
  memory.write(TABLE, new Uint8Array(2048));
  memory.put32(NET + 16n, 4026531840);
  memory.put64(NET + 48n, TABLE);
  memory.put64(NET + 56n, LO);
  makeDevice(LO, "lo", 1);
  makeDevice(ETH, "eth0", 2);
  link(NET + 32n, LO + 16n);
  link(LO + 16n, ETH + 16n);
  link(ETH + 16n, NET + 32n);
  // The table by index: both in buckets of their own.
  memory.put64(TABLE + 8n, LO + 32n);
  memory.put64(TABLE + 16n, ETH + 32n);
});

const names = (notes: string[] = []) => netDevices(kernel.kernel, virtual(NET), notes).map(({ name }) => name);

describe("devices of a namespace", () => {
  test("in the kernel's order, with both kinds of addresses", () => {
    const { memory } = kernel;
    memory.put64(ETH + 72n, V4);
    memory.put64(V4, V4 + 64n);
    memory.put64(V4 + 64n, V4 + 128n);
    memory.put32(V4 + 72n, 0x0100000a);
    memory.put8(V4 + 76n, 24);
    memory.put64(V4 + 128n, 0n);
    memory.put32(V4 + 136n, 0x0200000a);
    memory.put8(V4 + 140n, 32);
    memory.put64(ETH + 80n, V6);
    link(V6, V6 + 64n + 24n);
    link(V6 + 64n + 24n, V6);
    memory.write(V6 + 64n, Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));
    memory.put32(V6 + 80n, 64);
    const notes: string[] = [];
    const [lo, eth] = netDevices(kernel.kernel, virtual(NET), notes);
    expect(notes).toEqual([]);
    expect(lo).toMatchObject({ name: "lo", index: 1, addresses: [] });
    expect(eth).toMatchObject({ name: "eth0", index: 2, mtu: 1500, hardwareAddress: "02:00:00:00:00:02" });
    expect(eth?.addresses.map(({ address, prefix }) => `${address}/${prefix}`)).toEqual(["10.0.0.1/24", "10.0.0.2/32", "fe80::1/64"]);
  });

  test("a list of addresses in a circle is told, and the device is there", () => {
    kernel.memory.put64(ETH + 72n, V4);
    kernel.memory.put64(V4, V4 + 64n);
    kernel.memory.put64(V4 + 64n, V4 + 64n);
    kernel.memory.put32(V4 + 72n, 0x0100000a);
    const notes: string[] = [];
    expect(netDevices(kernel.kernel, virtual(NET), notes)[1]?.addresses.map(({ address }) => address)).toEqual(["10.0.0.1"]);
    expect(notes).toEqual([expect.stringMatching(/the IPv4 addresses of eth0: in_ifaddr .*circle/)]);
  });

  test("a list that is cut: what it has lost is in the table by index", () => {
    kernel.memory.put64(LO + 16n, 0xdead_0000_0000_0000n);
    const notes: string[] = [];
    expect(names(notes)).toEqual(["lo", "eth0"]);
    expect(notes.some((note) => /^the list of network devices/.test(note))).toBe(true);
  });

  test("a device of which nothing can be read costs itself alone", () => {
    link(LO + 16n, 0xffff_8880_00ff_0000n);
    link(0xffff_8880_00ff_0000n, NET + 32n);
    const notes: string[] = [];
    expect(names(notes)).toContain("lo");
    expect(notes.some((note) => /^net_device /.test(note))).toBe(true);
  });
});

describe("namespaces", () => {
  test("by the list; without its head, by what a struct net holds", () => {
    const { memory } = kernel;
    memory.write(OTHER, new Uint8Array(64));
    memory.put32(OTHER + 16n, 7);
    memory.write(LIST, new Uint8Array(64));
    memory.put64(OTHER + 56n, V4);
    memory.put64(V4 + 88n, OTHER);
    link(LIST, NET);
    link(NET, OTHER);
    link(OTHER, LIST);
    kernel.symbol("init_net", NET);
    expect(netNamespaces(kernel.kernel)).toEqual([
      { address: NET, inode: 4026531840, initial: true },
      { address: OTHER, inode: 7, initial: false },
    ]);
  });
});
