/**
 * System V IPC (ipc/): semaphores, message queues, shared memory of a namespace.
 *
 *   ipc_namespace.ids[3]: 0 semaphores, 1 message queues, 2 shared memory: struct ipc_ids { in_use, ipcs_idr, … }
 *   ipcs_idr: pointers to kern_ipc_perm, the first member of sem_array, msg_queue and shmid_kernel
 *       an idr is a radix tree since 4.11 (0a835c4f090a), and a tree of its own layers (idr.top, idr_layer) before
 *   sem_array.sems[] (since 4.13; before behind sem_base), shmid_kernel.shm_file ─► inode ─► shmem_inode_info.swapped
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, LookupError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { attempt, gather } from "./gather.ts";
import { taskTable } from "./task.ts";
import { xarrayEntries, xarrayLayout } from "./xarray.ts";

/** IPCMNI, extended (8cecc38fbba4). */
const MAX_OBJECTS = 1 << 24;
/** SEMMSL. */
const MAX_SEMAPHORES = 65_536;

/** What the three kinds of System V IPC objects share. */
export interface IpcObject {
  /** sem_array, msg_queue or shmid_kernel. */
  readonly address: VirtualAddress;
  readonly id: number;
  readonly key: number;
  readonly uid: number;
  /** Permissions and, of shared memory, SHM_DEST and SHM_LOCKED. */
  readonly mode: number;
}

/** A System V shared memory segment. */
export interface SharedMemory extends IpcObject {
  readonly bytes: number;
  readonly attached: number;
  /** Pages: as large as it is, in memory, in swap; undefined when its file cannot be read. */
  readonly pages: number;
  readonly resident: number | undefined;
  readonly swapped: number | undefined;
  readonly inode: VirtualAddress | undefined;
}

/** A set of System V semaphores. */
export interface SemaphoreSet extends IpcObject {
  readonly semaphores: number;
  /** Values, of sets up to 65536. */
  readonly values: readonly number[];
}

/** A System V message queue. */
export interface MessageQueue extends IpcObject {
  readonly bytes: number;
  readonly messages: number;
}

/** All System V IPC objects of a namespace. */
export interface IpcNamespace {
  readonly address: VirtualAddress;
  readonly shared: readonly SharedMemory[];
  readonly semaphores: readonly SemaphoreSet[];
  readonly queues: readonly MessageQueue[];
}

/**
 * The namespace of a task, or the first one.
 * @throws LookupError when it cannot be located; a task that has ended has none
 */
export function ipcNamespace(kernel: Kernel, task: VirtualAddress | undefined): VirtualAddress {
  if (task === undefined) {
    const first = kernel.tryAddress("init_ipc_ns");
    // Idle tasks never left the first namespaces.
    const idle = first === undefined ? taskTable(kernel).tasks.find((each) => each.idle) : undefined;
    if (first === undefined && idle === undefined) throw kernel.unknownSymbol("init_ipc_ns", []);
    return first ?? ipcNamespace(kernel, idle?.address);
  }
  const proxy = kernel.types.struct("task_struct").field("nsproxy").pointer(task);
  if (proxy === 0n) throw new LookupError("the task has no namespaces any more");
  return kernel.types.struct("nsproxy").field("ipc_ns").pointer(proxy);
}

/** Everything in a namespace. @throws LookupError without the types */
export function readIpc(kernel: Kernel, namespace: VirtualAddress, notes: string[]): IpcNamespace {
  const struct = kernel.types.tryStruct("ipc_namespace");
  const ids = kernel.types.tryStruct("ipc_ids");
  if (struct === undefined || ids === undefined || kernel.types.tryStruct("kern_ipc_perm") === undefined)
    throw new LookupError("this kernel has no System V IPC (CONFIG_SYSVIPC): struct kern_ipc_perm is not known");
  const at = (index: number) => add(struct.field("ids").address(namespace), index * ids.size);
  const each = <T extends IpcObject>(index: number, what: string, read: (address: VirtualAddress, perm: IpcObject) => T): readonly T[] =>
    gather(objects(kernel, ids, at(index)), notes, what, MAX_OBJECTS).flatMap(
      (address) => attempt(() => read(address, readPermissions(kernel, address)), notes, `${what} ${address.toString(16)}`) ?? [],
    );
  return {
    address: namespace,
    semaphores: each(0, "semaphores", (address, perm) => readSemaphores(kernel, address, perm)),
    queues: each(1, "message queues", (address, perm) => {
      const type = kernel.types.struct("msg_queue");
      return { ...perm, bytes: type.field("q_cbytes").number(address), messages: type.field("q_qnum").number(address) };
    }),
    shared: each(2, "shared memory", (address, perm) => readShared(kernel, address, perm, notes)),
  };
}

function* objects(kernel: Kernel, ids: Struct, at: VirtualAddress): Generator<VirtualAddress> {
  const perms = kernel.types.struct("kern_ipc_perm");
  const head = ids.firstField("ipcs_idr.idr_rt.xa_head", "ipcs_idr.idr_rt.rnode");
  const layout = xarrayLayout(kernel.types);
  if (head !== undefined && layout !== undefined) {
    for (const { entry } of xarrayEntries(kernel.memory, layout, head.pointer(at))) yield entry;
    return;
  }
  const top = ids.tryField("ipcs_idr.top");
  if (top === undefined) throw new LookupError(`the layout of struct ipc_ids is not known (${perms.size} bytes of kern_ipc_perm)`);
  const root = top.pointer(at);
  if (root !== 0n) yield* layerEntries(kernel, root, 0);
}

/** idr_layer { layer, ary[] } of kernels before 4.11: layer 0 holds the pointers. */
function* layerEntries(kernel: Kernel, node: VirtualAddress, depth: number): Generator<VirtualAddress> {
  if (depth > 8) throw new CorruptionError("idr_layer", "deeper than 8 levels", node);
  const type = kernel.types.struct("idr_layer");
  const slots = type.field("ary");
  const level = type.field("layer").number(node);
  for (let i = 0; i < Math.min(512, slots.size / 8); i++) {
    const entry = kernel.memory.u64(add(slots.address(node), i * 8));
    if (entry === 0n) continue;
    if (level === 0) yield virtual(entry);
    else yield* layerEntries(kernel, virtual(entry), depth + 1);
  }
}

function readPermissions(kernel: Kernel, address: VirtualAddress): IpcObject {
  const type = kernel.types.struct("kern_ipc_perm");
  return {
    address,
    id: type.field("id").number(address),
    key: type.field("key").number(address) >>> 0,
    // kuid_t is a structure of one number (3.8+, 1efdb69b0bb4).
    uid: (type.tryField("uid.val") ?? type.field("uid")).number(address),
    mode: type.field("mode").number(address),
  };
}

function readSemaphores(kernel: Kernel, address: VirtualAddress, perm: IpcObject): SemaphoreSet {
  const type = kernel.types.struct("sem_array");
  const semaphores = type.field("sem_nsems").number(address);
  const sem = kernel.types.tryStruct("sem");
  const base = type.tryField("sems")?.address(address) ?? type.tryField("sem_base")?.pointer(address);
  const count = base === undefined || sem === undefined ? 0 : Math.min(Math.max(0, semaphores), MAX_SEMAPHORES);
  const value = sem?.tryField("semval");
  const values = Array.from({ length: value === undefined ? 0 : count }, (_, i) =>
    (value as NonNullable<typeof value>).number(add(base as VirtualAddress, i * (sem as Struct).size)),
  );
  return { ...perm, semaphores, values };
}

function readShared(kernel: Kernel, address: VirtualAddress, perm: IpcObject, notes: string[]): SharedMemory {
  const type = kernel.types.struct("shmid_kernel");
  const bytes = type.field("shm_segsz").number(address);
  const file = type.field("shm_file").pointer(address);
  const where = `shared memory ${perm.id}`;
  const pages = Math.ceil(bytes / kernel.arch.pageSize);
  const inode = file === 0n ? undefined : attempt(() => inodeOf(kernel, virtual(file)), notes, where);
  const mapping =
    inode === undefined ? undefined : attempt(() => kernel.types.struct("inode").field("i_mapping").pointer(inode), notes, where);
  const resident =
    mapping === undefined ? undefined : attempt(() => kernel.types.struct("address_space").field("nrpages").number(mapping), notes, where);
  return {
    ...perm,
    bytes,
    attached: type.field("shm_nattch").number(address),
    pages,
    resident,
    swapped: inode === undefined ? undefined : attempt(() => swappedPages(kernel, inode), notes, where),
    inode,
  };
}

/** file.f_inode since 3.9 (dd37978c50bc), through the dentry before. */
function inodeOf(kernel: Kernel, file: VirtualAddress): VirtualAddress | undefined {
  const type = kernel.types.struct("file");
  const direct = type.tryField("f_inode");
  if (direct !== undefined) return direct.pointer(file);
  const dentry = type.field("f_path.dentry").pointer(file);
  return kernel.types.struct("dentry").field("d_inode").pointer(dentry);
}

/** Only files of shmem have them; those of hugetlbfs have another structure around their inode. */
function swappedPages(kernel: Kernel, inode: VirtualAddress): number | undefined {
  const info = kernel.types.tryStruct("shmem_inode_info");
  const operations = kernel.types.struct("inode").field("i_op").pointer(inode);
  const shmem = kernel.tryAddress("shmem_inode_operations");
  if (info === undefined || (shmem !== undefined && operations !== shmem)) return undefined;
  return info.tryField("swapped")?.number(containerOf(inode, info.field("vfs_inode")));
}
