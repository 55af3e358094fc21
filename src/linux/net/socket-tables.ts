/**
 * Where the kernel keeps its sockets, and what each place alone knows:
 *
 *   TCP      hashinfo.ehash             connections, also TIME_WAIT and half-open ones (request_sock), which have no struct socket
 *            hashinfo.lhash2            listeners                                                    (5.19+; before, listening_hash)
 *            hashinfo.bhash             all that are bound to a port, also those that neither listen nor are connected
 *   UDP      udp_table.hash             net.ipv4.udp_table since 6.2 (9804985bf27f)
 *   RAW      raw_v4_hashinfo.ht, raw_v6_hashinfo.ht
 *   UNIX     net.unx.table.buckets      6.0+ (cf2f225e2653); before, unix_socket_table
 *   NETLINK  nl_table[].hash            an rhashtable a protocol
 *   PACKET   net.packet.sklist
 *   sockfs   super_block.s_inodes       every socket that user space has a struct socket of, whatever its family
 *
 * sockfs is the one that needs no symbol: any open socket leads to its superblock. The others add what was closed and still lives.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Field } from "../../kernel/field.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { inodeType } from "../file.ts";
import { listNodes } from "../list.ts";
import { guardedWalk, tell } from "./guarded.ts";
import { chainNodes, tableNodes } from "./hash-chains.ts";
import { netNamespaces } from "./namespace.ts";
import { socketOwners } from "./task-sockets.ts";

/** MAX_LINKS: netlink protocols. */
const NETLINK_PROTOCOLS = 32;
/** UNIX_HASH_SIZE: 256 for names and as many for sockets without. */
const UNIX_BUCKETS = 512;
const MAX_INODES = 1 << 22;
const MAX_OWNERS = 1 << 20;

/** Told of long walks: what, done, total. */
export type TableProgress = (what: string, done: number, total: number) => void;

interface Walk {
  readonly kernel: Kernel;
  readonly notes: string[];
  readonly progress: TableProgress | undefined;
  /** sock_common.skc_node, where sockets hang in most tables. */
  readonly node: Field;
}

/** Every sock of the kernel, each once. What is damaged or cannot be found is told in `notes`. */
export function* allSocks(kernel: Kernel, notes: string[] = [], progress?: TableProgress): Generator<VirtualAddress, void, undefined> {
  const node = kernel.types.struct("sock_common").field("skc_node");
  const walk: Walk = { kernel, notes, progress, node };
  const seen = new Set<bigint>();
  for (const part of [tcpSocks, udpSocks, rawSocks, unixSocks, netlinkSocks, packetSocks, sockfsSocks]) {
    for (const sock of guardedWalk(notes, "a table of sockets", () => part(walk))) {
      if (seen.has(sock)) continue;
      seen.add(sock);
      yield sock;
    }
  }
  for (const sock of socketOwners(kernel, (done, total) => progress?.("files of tasks", done, total)).keys()) {
    if (sock === 0n || seen.has(sock)) continue;
    seen.add(sock);
    yield virtual(sock);
  }
}

function* tcpSocks(walk: Walk): Generator<VirtualAddress, void, undefined> {
  const { kernel } = walk;
  const tables = new Set<bigint>();
  const pointer = kernel.types.struct("net").firstField("ipv4.tcp_death_row.hashinfo");
  for (const { address } of netNamespaces(kernel)) {
    const table = pointer === undefined ? undefined : kernel.memory.tryU64(pointer.address(address));
    if (table !== undefined && table !== 0n) tables.add(table);
  }
  const symbol = kernel.tryAddress("tcp_hashinfo");
  if (symbol !== undefined) tables.add(symbol);
  for (const table of tables) yield* hashinfoSocks(walk, virtual(table));
}

function* hashinfoSocks(walk: Walk, table: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const { kernel, notes, node, progress } = walk;
  const info = kernel.types.struct("inet_hashinfo");
  // Listeners first: they are few and most looked for.
  const listen = kernel.types.struct("inet_listen_hashbucket");
  const head = (listen.tryField("nulls_head") ?? listen.field("head")).offset;
  const array = info.tryField("listening_hash");
  const lhash2 = info.tryField("lhash2");
  const listening =
    array === undefined
      ? lhash2 === undefined
        ? undefined
        : { buckets: lhash2.pointer(table), count: info.field("lhash2_mask").number(table) + 1 }
      : { buckets: array.address(table), count: array.size / listen.size };
  if (listening !== undefined)
    for (const each of tableNodes(kernel, { ...listening, size: listen.size, head }, "the table of TCP listeners", notes))
      yield containerOf(each, node);
  const chain = kernel.types.struct("inet_ehash_bucket");
  const established = {
    buckets: info.field("ehash").pointer(table),
    count: info.field("ehash_mask").number(table) + 1,
    size: chain.size,
    head: 0,
  };
  const told = (done: number, total: number) => progress?.("connections of TCP", done, total);
  for (const each of tableNodes(kernel, established, "the table of TCP connections", notes, told)) yield containerOf(each, node);
  yield* boundSocks(walk, info, table);
}

/** bhash: a bucket a port, whose owners hang at it (up to 6.7) or at the bhash2 buckets below it (822fb91fc724). */
function* boundSocks({ kernel, notes }: Walk, info: Struct, table: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const bucket = kernel.types.struct("inet_bind_hashbucket");
  const port = kernel.types.struct("inet_bind_bucket");
  const bind = kernel.types.struct("sock_common").field("skc_bind_node");
  const ports = {
    buckets: info.field("bhash").pointer(table),
    count: info.field("bhash_size").number(table),
    size: bucket.size,
    head: bucket.field("chain").offset,
  };
  const owners = port.tryField("owners");
  const second = kernel.types.tryStruct("inet_bind2_bucket");
  const below = port.tryField("bhash2");
  const link = second?.tryField("bhash_node");
  for (const node of tableNodes(kernel, ports, "the table of TCP ports", notes)) {
    const at = containerOf(node, port.field("node"));
    const what = `the owners of a TCP port (inet_bind_bucket ${at.toString(16)})`;
    const heads: VirtualAddress[] = [];
    if (owners !== undefined) heads.push(owners.address(at));
    else if (below !== undefined && second !== undefined && link !== undefined)
      for (const each of guardedWalk(notes, what, () => chainNodes(kernel, below.pointer(at))))
        heads.push(second.field("owners").address(containerOf(each, link)));
    for (const head of heads.slice(0, MAX_OWNERS))
      for (const each of guardedWalk(notes, what, () => chainNodes(kernel, kernel.memory.u64(head) as VirtualAddress)))
        yield containerOf(each, bind);
  }
}

function* udpSocks({ kernel, notes, node, progress }: Walk): Generator<VirtualAddress, void, undefined> {
  const struct = kernel.types.tryStruct("udp_table");
  const slot = kernel.types.tryStruct("udp_hslot");
  if (struct === undefined || slot === undefined) return;
  const own = kernel.types.struct("net").firstField("ipv4.udp_table");
  const tables = new Set<bigint>();
  for (const { address } of own === undefined ? [] : netNamespaces(kernel)) {
    const table = kernel.memory.tryU64(own?.address(address) ?? address);
    if (table !== undefined && table !== 0n) tables.add(table);
  }
  // A function is called udp_table in 7.x.
  for (const name of ["udp_table", "udplite_table"]) {
    const symbol = kernel.symbols.byName(name);
    if (symbol !== undefined && !/^t$/i.test(symbol.type ?? "")) tables.add(symbol.address);
  }
  for (const table of tables) {
    const at = virtual(table);
    const slots = { buckets: struct.field("hash").pointer(at), count: struct.field("mask").number(at) + 1, size: slot.size, head: 0 };
    const told = (done: number, total: number) => progress?.("sockets of UDP", done, total);
    for (const each of tableNodes(kernel, slots, "the table of UDP", notes, told)) yield containerOf(each, node);
  }
}

function* rawSocks({ kernel, notes, node }: Walk): Generator<VirtualAddress, void, undefined> {
  const heads = kernel.types.tryStruct("raw_hashinfo")?.tryField("ht");
  if (heads === undefined) return;
  for (const name of ["raw_v4_hashinfo", "raw_v6_hashinfo"]) {
    const table = kernel.tryAddress(name);
    if (table === undefined) continue;
    const buckets = { buckets: heads.address(table), count: heads.size / 8, size: 8, head: 0 };
    for (const each of tableNodes(kernel, buckets, name, notes)) yield containerOf(each, node);
  }
}

function* unixSocks({ kernel, notes, node }: Walk): Generator<VirtualAddress, void, undefined> {
  const own = kernel.types.struct("net").tryField("unx.table.buckets");
  const tables: VirtualAddress[] = [];
  const global = kernel.tryAddress("unix_socket_table");
  if (own !== undefined) for (const { address } of netNamespaces(kernel)) tables.push(own.pointer(address));
  else if (global !== undefined) tables.push(global);
  for (const buckets of tables) {
    if (buckets === 0n) continue;
    for (const each of tableNodes(kernel, { buckets, count: UNIX_BUCKETS, size: 8, head: 0 }, "the table of UNIX sockets", notes))
      yield containerOf(each, node);
  }
}

function* netlinkSocks({ kernel, notes }: Walk): Generator<VirtualAddress, void, undefined> {
  const symbol = kernel.tryAddress("nl_table");
  const struct = kernel.types.tryStruct("netlink_table");
  const node = kernel.types.tryStruct("netlink_sock")?.tryField("node");
  if (symbol === undefined || struct === undefined || node === undefined) return;
  const tables = kernel.memory.u64(symbol) as VirtualAddress;
  for (let protocol = 0; protocol < NETLINK_PROTOCOLS; protocol++) {
    const hash = struct.field("hash").address(add(tables, protocol * struct.size));
    for (const each of guardedWalk(notes, `the netlink sockets of protocol ${protocol}`, () => rhashtableNodes(kernel, hash, notes)))
      yield containerOf(each, node);
  }
}

/**
 * Nodes of an rhashtable (include/linux/rhashtable.h): bucket_table.buckets[size], whose words carry a lock in bit 0 (5.2+, 8f0db018006a);
 * a chain ends with an odd number. While a table grows, future_tbl holds a part.
 */
function* rhashtableNodes(kernel: Kernel, table: VirtualAddress, notes: string[]): Generator<VirtualAddress, void, undefined> {
  const struct = kernel.types.struct("bucket_table");
  const locks = kernel.types.tryStruct("rhash_lock_head") !== undefined;
  let at = kernel.types.struct("rhashtable").field("tbl").pointer(table);
  for (let generation = 0; at !== 0n && generation < 4; generation++) {
    const size = struct.field("size").number(at);
    if (struct.tryField("nest")?.number(at)) {
      tell(notes, "an rhashtable of two levels is not walked");
      return;
    }
    if (size > 1 << 24) {
      tell(notes, `bucket_table ${at.toString(16)}: ${size} buckets: the table is damaged`);
      return;
    }
    const buckets = struct.field("buckets").address(at);
    for (let i = 0; i < size; i++) {
      const word = kernel.memory.u64(add(buckets, i * 8));
      const first = locks ? word & ~1n : word;
      for (const each of guardedWalk(notes, "a chain of netlink sockets", () => chainNodes(kernel, virtual(first)))) yield each;
    }
    at = struct.field("future_tbl").pointer(at);
  }
}

function* packetSocks({ kernel, notes, node }: Walk): Generator<VirtualAddress, void, undefined> {
  const list = kernel.types.struct("net").tryField("packet.sklist");
  if (list === undefined) return;
  for (const { address } of netNamespaces(kernel))
    for (const each of guardedWalk(notes, "the list of AF_PACKET sockets", () => chainNodes(kernel, list.pointer(address))))
      yield containerOf(each, node);
}

function* sockfsSocks({ kernel, notes, progress }: Walk): Generator<VirtualAddress, void, undefined> {
  const superblock = sockfs(kernel);
  if (superblock === undefined) {
    tell(notes, "sockfs cannot be found (no symbol sock_mnt and no open socket): sockets of other families may be missing");
    return;
  }
  const inode = kernel.types.struct("inode");
  const both = kernel.types.struct("socket_alloc");
  const link = inode.field("i_sb_list");
  const mode = inode.field("i_mode");
  const sk = kernel.types.struct("socket").field("sk");
  const list = kernel.types.struct("super_block").field("s_inodes").address(superblock);
  let done = 0;
  // New inodes are added at the head without the old ones being looked at: the way back is not checked.
  for (const each of guardedWalk(notes, "the inodes of sockfs", () =>
    listNodes(kernel.memory, list, { limit: MAX_INODES, checkBackLinks: false }),
  )) {
    progress?.("sockets of sockfs", done++, 0);
    const at = containerOf(each, link);
    if (inodeType(kernel.memory.u16(mode.address(at))) !== "SOCK") continue;
    const socket = add(at, both.field("socket").offset - both.field("vfs_inode").offset);
    const sock = kernel.memory.tryU64(sk.address(socket));
    if (sock !== undefined && sock !== 0n) yield virtual(sock);
  }
}

/** super_block of sockfs: sock_mnt->mnt_sb, else that of any open socket's inode. */
function sockfs(kernel: Kernel): VirtualAddress | undefined {
  const symbol = kernel.tryAddress("sock_mnt");
  if (symbol !== undefined) {
    const mount = kernel.memory.tryU64(symbol);
    if (mount !== undefined && mount !== 0n) return kernel.types.struct("vfsmount").field("mnt_sb").pointer(virtual(mount));
  }
  const both = kernel.types.struct("socket_alloc");
  const sk = kernel.types.struct("sock").field("sk_socket");
  for (const sock of socketOwners(kernel).keys()) {
    const socket = sock === 0n ? 0n : (kernel.memory.tryU64(sk.address(virtual(sock))) ?? 0n);
    if (socket === 0n) continue;
    const inode = add(virtual(socket), both.field("vfs_inode").offset - both.field("socket").offset);
    const superblock = kernel.memory.tryU64(kernel.types.struct("inode").field("i_sb").address(inode));
    if (superblock !== undefined && superblock !== 0n) return virtual(superblock);
  }
  return undefined;
}
