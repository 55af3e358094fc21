/**
 * Where a healthy dump can be damaged: pointers of live objects, found by walks of their own, so that a mistake in the walks under test
 * hides nothing. Only what leads somewhere is a site: damage in a NULL pointer of an optional member would be no damage.
 *
 *   init_task.tasks ─► task_struct ─► files ─► fdtable ─► file ─► inode, dentry, mount
 *   super_blocks ─► super_block ─► s_inodes ─► inode; s_root ─► dentry
 *   modules, slab_caches, workqueues, vmap_area_list, net_device, kernfs tree, free pages, partial slabs
 */
import { add, type VirtualAddress, virtual } from "../../../src/bytes/address.ts";
import { InquestError } from "../../../src/bytes/errors.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { Struct } from "../../../src/kernel/types.ts";
import { cacheNodes, slabLayout } from "../../../src/linux/slab-layout.ts";

/** One pointer of one live object. */
export interface Site {
  /** What list, tree or table it belongs to; sites are drawn group by group, so that a long list is no likelier than a short one. */
  readonly group: string;
  /** list, hlist: next or prev of a node; tree: a child pointer; ops: a table of functions; pointer: to another object; number: no pointer. */
  readonly kind: "list" | "hlist" | "tree" | "ops" | "pointer" | "number";
  readonly type: string;
  readonly member: string;
  /** Other names of the same word, with their types. */
  readonly also?: readonly string[];
  readonly object: VirtualAddress;
  /** Where the pointer lies. */
  readonly address: VirtualAddress;
  readonly value: bigint;
}

/** A counter of references of a live object. */
export interface CounterSite {
  readonly type: string;
  readonly member: string;
  readonly object: VirtualAddress;
  readonly address: VirtualAddress;
  readonly size: 4 | 8;
  readonly value: bigint;
  /** References that are known to exist: a smaller value is wrong. */
  readonly atLeast: number;
}

/** Longer lists are cut: there are sites enough. */
const MOST = 400;

export class Sites {
  readonly pointers: Site[] = [];
  readonly counters: CounterSite[] = [];
  /** Live tasks, as addresses of task_struct. */
  readonly tasks: VirtualAddress[] = [];
  readonly #kernel: Kernel;
  readonly #seen = new Set<bigint>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    for (const collect of [
      () => this.#tasks(),
      () => this.#fileSystems(),
      () => this.#named("modules", "module", "list"),
      () => this.#named("slab_caches", "kmem_cache", "list"),
      () => this.#named("workqueues", "workqueue_struct", "list"),
      () => this.#named("vmap_area_list", "vmap_area", "list"),
      () => this.#devices(),
      () => this.#kernfs(),
      () => this.#slabs(),
      () => this.#freePages(),
    ])
      this.#quietly(collect);
  }

  /** Nodes of a ring as containers; ends where it breaks. */
  ring(head: bigint, type: string, member: string): VirtualAddress[] {
    const { memory } = this.#kernel;
    const { offset } = this.#struct(type).field(member);
    const found: VirtualAddress[] = [];
    for (let node = memory.tryU64(virtual(head)); node !== undefined && node !== head && node !== 0n; node = memory.tryU64(virtual(node))) {
      found.push(virtual(add(virtual(node), -offset)));
      if (found.length >= MOST) break;
    }
    return found;
  }

  #struct(name: string): Struct {
    return this.#kernel.types.struct(name);
  }

  #quietly(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }

  /** Adds a pointer when the type has it and it leads into the kernel. */
  add(kind: Site["kind"], group: string, type: string, member: string, object: VirtualAddress): void {
    const field = this.#kernel.types.tryStruct(type)?.tryField(member);
    if (field === undefined || field.size !== 8) return;
    const address = field.address(object);
    const value = this.#kernel.memory.tryU64(address);
    if (value === undefined || !this.#kernel.arch.isKernelAddress(virtual(value))) return;
    this.put({ group, kind, type, member, object, address, value });
  }

  /** Adds a site, unless its word is one already. */
  put(site: Site): void {
    if (this.#seen.has(site.address)) return;
    this.#seen.add(site.address);
    this.pointers.push(site);
  }

  /** Both links of a node, unless its list is empty. */
  list(group: string, type: string, member: string, object: VirtualAddress): void {
    const field = this.#kernel.types.tryStruct(type)?.tryField(member);
    // An empty list is no list to break.
    if (field === undefined || this.#kernel.memory.tryU64(field.address(object)) === field.address(object)) return;
    this.add("list", group, type, `${member}.next`, object);
    this.add("list", group, type, `${member}.prev`, object);
  }

  /** The first of the members that the type has. */
  #count(type: string, members: readonly string[], object: VirtualAddress, atLeast: number): void {
    const field = this.#kernel.types.tryStruct(type)?.firstField(...members);
    if (field === undefined || (field.size !== 4 && field.size !== 8)) return;
    const address = field.address(object);
    if (this.#seen.has(address)) return;
    this.#seen.add(address);
    const value = field.size === 4 ? BigInt(this.#kernel.memory.u32(address)) : this.#kernel.memory.u64(address);
    if (value < BigInt(atLeast) || value > 1_000_000n) return;
    this.counters.push({ type, member: field.path, object, address, size: field.size, value, atLeast });
  }

  #named(symbol: string, type: string, member: string): void {
    const head = this.#kernel.tryAddress(symbol);
    if (head === undefined) return;
    for (const object of this.ring(head, type, member)) this.list(symbol, type, member, object);
  }

  #tasks(): void {
    const task = this.#struct("task_struct");
    const init = this.#kernel.address("init_task");
    const pointers = [
      "files",
      "fs",
      "nsproxy",
      "signal",
      "sighand",
      "cred",
      "real_cred",
      "parent",
      "real_parent",
      "group_leader",
      "mm",
      "thread_pid",
    ];
    for (const object of this.ring(task.field("tasks").address(init), "task_struct", "tasks")) {
      this.tasks.push(object);
      this.list("tasks", "task_struct", "tasks", object);
      this.list("children", "task_struct", "sibling", object);
      for (const member of pointers) this.add("pointer", `task.${member}`, "task_struct", member, object);
      this.add("ops", "task.sched_class", "task_struct", "sched_class", object);
      this.#count("task_struct", ["usage.refs.counter", "usage.counter"], object, 1);
      const to = (member: string): VirtualAddress => task.field(member).pointer(object);
      this.#count("cred", ["usage.counter"], to("cred"), 1);
      this.#count("signal_struct", ["sigcnt.refs.counter", "sigcnt.counter"], to("signal"), 1);
      this.#count("nsproxy", ["count.refs.counter", "count.counter"], to("nsproxy"), 1);
      const mm = to("mm");
      if (mm !== 0n) this.#mm(mm);
      const files = to("files");
      if (files !== 0n) this.#quietly(() => this.#files(files));
    }
  }

  #mm(mm: VirtualAddress): void {
    this.#count("mm_struct", ["mm_users.counter"], mm, 1);
    this.#count("mm_struct", ["mm_count.counter"], mm, 1);
    this.add("pointer", "mm.exe_file", "mm_struct", "exe_file", mm);
    const next = this.#kernel.types.tryStruct("vm_area_struct")?.tryField("vm_next");
    if (next === undefined) return;
    let vma = this.#struct("mm_struct").field("mmap").pointer(mm);
    for (let i = 0; vma !== 0n && i < MOST; i++, vma = next.pointer(vma)) {
      this.add("list", "vma.vm_next", "vm_area_struct", "vm_next", vma);
      this.add("pointer", "vma", "vm_area_struct", "vm_mm", vma);
      this.add("pointer", "vma", "vm_area_struct", "vm_file", vma);
      this.add("ops", "vma.vm_ops", "vm_area_struct", "vm_ops", vma);
    }
  }

  #files(files: VirtualAddress): void {
    const { memory } = this.#kernel;
    const table = this.#struct("files_struct").field("fdt").pointer(files);
    const fds = this.#struct("fdtable").field("fd").pointer(table);
    const file = this.#struct("file");
    for (let i = 0; i < 64; i++) {
      const object = virtual(memory.u64(add(fds, i * 8)));
      if (object === 0n) continue;
      this.add("ops", "file.f_op", "file", "f_op", object);
      for (const member of ["f_inode", "f_mapping", "f_cred", "f_path.dentry", "f_path.mnt"])
        this.add("pointer", `file.${member}`, "file", member, object);
      // f_count until 6.12, f_ref of type file_ref_t since 6.13 (90ee6ed776c0), which counts from -1 and is left alone.
      this.#count("file", ["f_count.counter"], object, 1);
      this.#inode(file.field("f_inode").pointer(object));
      const dentry = file.field("f_path.dentry").pointer(object);
      this.#dentry(dentry);
      this.#count("dentry", ["d_lockref.count"], dentry, 1);
      this.#count("inode", ["i_count.counter"], file.field("f_inode").pointer(object), 1);
      this.#mount(file.field("f_path.mnt").pointer(object));
    }
  }

  #inode(inode: VirtualAddress): void {
    for (const member of ["i_sb", "i_mapping"]) this.add("pointer", `inode.${member}`, "inode", member, inode);
    for (const member of ["i_op", "i_fop"]) this.add("ops", `inode.${member}`, "inode", member, inode);
    this.add("ops", "mapping.a_ops", "inode", "i_data.a_ops", inode);
    const hash = this.#struct("inode").field("i_hash");
    if (this.#kernel.memory.u64(hash.address(inode)) !== 0n) this.add("hlist", "inode.i_hash", "inode", "i_hash.next", inode);
  }

  #dentry(dentry: VirtualAddress): void {
    for (const member of ["d_parent", "d_sb", "d_inode"]) this.add("pointer", `dentry.${member}`, "dentry", member, dentry);
    this.add("ops", "dentry.d_op", "dentry", "d_op", dentry);
    // d_child in a list until 6.7, d_sib in an hlist since 6.8 (da549bdd15c2).
    if (this.#struct("dentry").has("d_child")) this.list("dentry.d_child", "dentry", "d_child", dentry);
    else this.add("hlist", "dentry.d_sib", "dentry", "d_sib.next", dentry);
  }

  #mount(vfsmount: VirtualAddress): void {
    const mount = this.#struct("mount");
    const object = virtual(add(vfsmount, -mount.field("mnt").offset));
    for (const member of ["mnt_parent", "mnt_mountpoint", "mnt.mnt_sb", "mnt.mnt_root"])
      this.add("pointer", "mount", "mount", member, object);
    this.list("mount.mnt_instance", "mount", "mnt_instance", object);
  }

  #fileSystems(): void {
    const block = this.#struct("super_block");
    for (const object of this.ring(this.#kernel.address("super_blocks"), "super_block", "s_list")) {
      this.list("super_blocks", "super_block", "s_list", object);
      this.add("ops", "super_block.s_op", "super_block", "s_op", object);
      for (const member of ["s_type", "s_root"]) this.add("pointer", `super_block.${member}`, "super_block", member, object);
      for (const inode of this.ring(block.field("s_inodes").address(object), "inode", "i_sb_list").slice(0, 40)) {
        this.list("inodes", "inode", "i_sb_list", inode);
        this.#inode(inode);
      }
    }
  }

  #devices(): void {
    const net = this.#kernel.address("init_net");
    for (const object of this.ring(this.#struct("net").field("dev_base_head").address(net), "net_device", "dev_list")) {
      this.list("net_devices", "net_device", "dev_list", object);
      this.add("ops", "net_device.netdev_ops", "net_device", "netdev_ops", object);
    }
  }

  #kernfs(): void {
    const root = this.#kernel.memory.u64(this.#kernel.address("sysfs_root_kn"));
    const children = this.#struct("kernfs_node").field("dir.children.rb_node");
    const { offset } = this.#struct("kernfs_node").field("rb");
    const queue = [children.pointer(virtual(root))];
    for (let i = 0; i < queue.length && queue.length < MOST; i++) {
      const node = queue[i];
      if (node === undefined || node === 0n) continue;
      const object = virtual(add(node, -offset));
      for (const member of ["rb.rb_left", "rb.rb_right"]) {
        this.add("tree", "kernfs", "kernfs_node", member, object);
        queue.push(this.#struct("kernfs_node").field(member).pointer(object));
      }
      const kind = this.#struct("kernfs_node").field("flags").number(object) & 15;
      if (kind === 1) queue.push(children.pointer(object));
    }
  }

  /** Slabs on the partial lists of nodes. */
  #slabs(): void {
    const type = this.#kernel.types.tryStruct("slab")?.has("slab_list") === true ? "slab" : "page";
    const partial = this.#struct("kmem_cache_node").field("partial");
    const layout = slabLayout(this.#kernel);
    if (typeof layout === "string") return;
    for (const each of this.ring(this.#kernel.address("slab_caches"), "kmem_cache", "list")) {
      // per_node[n] of 7.1 (5ba6bc27b1f9) holds a barn as well, in an order that only its type tells.
      for (const { address } of cacheNodes(this.#kernel, layout, each).slice(0, 1))
        for (const slab of this.ring(partial.address(address), type, "slab_list").slice(0, 20))
          this.list("partial slabs", type, "slab_list", slab);
    }
  }

  #freePages(): void {
    const member = this.#struct("page").has("buddy_list") ? "buddy_list" : "lru";
    const data = this.#kernel.tryAddress("node_data");
    const node = data === undefined ? this.#kernel.address("contig_page_data") : virtual(this.#kernel.memory.u64(data));
    const zone = this.#struct("zone");
    const area = this.#struct("free_area");
    for (let z = 0; z < 3; z++) {
      const base = add(node, this.#struct("pglist_data").field("node_zones").offset + z * zone.size + zone.field("free_area").offset);
      for (let order = 0; order <= 10; order++) {
        for (let type = 0; type < 3; type++) {
          const head = add(base, order * area.size + area.field("free_list").offset + type * 16);
          for (const page of this.ring(head, "page", member).slice(0, 20)) this.list("free pages", "page", member, page);
        }
      }
    }
  }
}
