/**
 * What a pointer of a known member must lead to, told by what stands there: by a set of all that there are (tasks, super blocks), or by a
 * rule that no other memory obeys by chance (an inode names one of the super blocks; a table of operations holds nothing but functions).
 */
import { add, distance, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError, LookupError } from "../../bytes/errors.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { fileSystemChain } from "../../linux/file-system-types.ts";
import { Slabs } from "../../linux/slab.ts";
import { slabObjectState } from "../../linux/slab-state.ts";
import { CodeRanges } from "../../stack/code-ranges.ts";
import { isTable } from "./function-table.ts";
import { pointerOf, wordAt } from "./look.ts";
import { isStrayModule } from "./stray-module.ts";
import { BY_SET, type KnownSets, type TargetKind, type Validity } from "./target-kind.ts";

const RUN_QUEUES = {};

export class Targets {
  readonly #kernel: Kernel;
  readonly #sets: KnownSets;
  readonly #known = new Map<string, Map<bigint, Validity>>();
  /** By kind: the places of those that were right. */
  readonly #usual = new Map<TargetKind, Set<string>>();
  readonly #code: CodeRanges;
  readonly #slabs: Slabs | undefined;

  constructor(kernel: Kernel, sets: KnownSets) {
    this.#kernel = kernel;
    this.#sets = sets;
    this.#code = CodeRanges.of(kernel);
    this.#slabs = Slabs.of(kernel);
  }

  /**
   * Which object of which slab cache an address lies in, and how far: of two pointers to things of one kind both parts are the same.
   * undefined outside of slabs, and in free objects.
   */
  placeOf(value: bigint): string | undefined {
    const found = this.#slabs?.objectOf(virtual(value));
    if (found === undefined || slabObjectState(this.#kernel, found)?.state === "free") return undefined;
    return `${found.cacheAddress} ${found.offset}`;
  }

  /** Start of the slab object that holds an address. */
  objectAt(value: bigint): VirtualAddress | undefined {
    return this.#slabs?.objectOf(virtual(value))?.object;
  }

  /** A place where objects of the kind are known to stand. */
  isUsual(kind: TargetKind, value: bigint): boolean {
    const usual = this.#usual.get(kind);
    const place = usual === undefined ? undefined : this.placeOf(value);
    return place !== undefined && usual?.has(place) === true;
  }

  /** Whether an object of the kind stands at the address. @param member the pointer's own field, which tells the type of a table */
  valid(kind: TargetKind, value: bigint, member: Field): Validity {
    const key = kind === "ops" ? `ops ${member.path} ${member.offset}` : kind;
    let known = this.#known.get(key);
    if (known === undefined) {
      known = new Map();
      this.#known.set(key, known);
    }
    const before = known.get(value);
    if (before !== undefined) return before;
    const answer = this.#judge(kind, value, member);
    known.set(value, answer);
    if (answer === "yes" && kind !== "ops") this.#learn(kind, value);
    return answer;
  }

  #learn(kind: TargetKind, value: bigint): void {
    const found = this.#slabs?.objectOf(virtual(value));
    if (found === undefined) return;
    const usual = this.#usual.get(kind) ?? new Set();
    usual.add(`${found.cacheAddress} ${found.offset}`);
    this.#usual.set(kind, usual);
  }

  #judge(kind: TargetKind, value: bigint, member: Field): Validity {
    const first = wordAt(this.#kernel, value);
    if (first === "nowhere") return "no";
    if (first === "unknown") return "unknown";
    if ((value & 3n) !== 0n) return "no";
    try {
      const answer = this.#is(kind, pointerOf(this.#kernel, value), member);
      const set = BY_SET[kind];
      return answer === "no" && set !== undefined && this.#sets.partial.has(set) ? "unknown" : answer;
    } catch (error) {
      // Part of it was left out of the dump, or a type is missing.
      if (error instanceof InquestError) return "unknown";
      throw error;
    }
  }

  #is(kind: TargetKind, at: VirtualAddress, member: Field): Validity {
    const { superBlocks, nets, tasks, fileSystems } = this.#sets;
    const yes = (fits: boolean): Validity => (fits ? "yes" : "no");
    const to = (type: string, path: string): bigint => this.#pointer(type, path, at);
    switch (kind) {
      case "any":
        return "yes";
      case "task_struct":
        return yes(tasks.has(at));
      case "super_block":
        return yes(superBlocks.has(at));
      case "net":
        return yes(nets.has(at));
      case "file_system_type": {
        // The newest one is led to by the list's head alone, which may have no symbol.
        const { link, typeAt } = fileSystemChain(this.#kernel);
        const next = typeAt(to("file_system_type", link.path));
        return yes(
          fileSystems.has(at) ||
            ((next === undefined || fileSystems.has(next)) && /^[\w.-]{2,32}$/.test(this.#text(to("file_system_type", "name")))),
        );
      }
      case "inode":
        return yes(superBlocks.has(to("inode", "i_sb")) && this.#kernel.arch.isKernelAddress(to("inode", "i_mapping")));
      case "dentry":
        return this.#alone(at) ?? yes(superBlocks.has(to("dentry", "d_sb")) && this.#kernel.arch.isKernelAddress(to("dentry", "d_parent")));
      case "vfsmount":
        return yes(superBlocks.has(to("vfsmount", "mnt_sb")));
      case "mount":
        return this.#alone(at) ?? yes(superBlocks.has(to("mount", "mnt.mnt_sb")));
      case "address_space": {
        const host = to("address_space", "host");
        return host === 0n ? "unknown" : yes(superBlocks.has(this.#pointer("inode", "i_sb", virtual(host))));
      }
      case "file":
        return this.#alone(at) ?? yes(superBlocks.has(this.#pointer("inode", "i_sb", virtual(to("file", "f_inode")))));
      case "cred":
        return (
          this.#alone(at) ??
          yes(this.#mapped(to("cred", "user")) && this.#mapped(to("cred", "user_ns")) && this.#mapped(to("cred", "group_info")))
        );
      case "files_struct":
        return (
          this.#alone(at) ??
          yes(this.#mapped(to("files_struct", "fdt")) && this.#mapped(this.#pointer("fdtable", "fd", virtual(to("files_struct", "fdt")))))
        );
      case "fs_struct": {
        const dentry = to("fs_struct", "root.dentry");
        return this.#alone(at) ?? yes(superBlocks.has(this.#pointer("dentry", "d_sb", virtual(dentry))));
      }
      case "signal_struct":
        return this.#alone(at) ?? yes(this.#isRing("signal_struct", "thread_head", at));
      case "sighand_struct":
        return this.#alone(at) ?? yes(this.#isRing("sighand_struct", "signalfd_wqh.head", at));
      case "nsproxy":
        return this.#alone(at) ?? yes(nets.has(to("nsproxy", "net_ns")));
      case "mm_struct":
        return this.#alone(at) ?? yes(this.#mapped(to("mm_struct", "pgd")) && (to("mm_struct", "pgd") & 0xfffn) === 0n);
      case "pid":
        return this.#alone(at) ?? yes(this.#isPid(at));
      case "cfs_rq": {
        // With group scheduling each names the run queue of its CPU.
        const queue = to("cfs_rq", "rq");
        return yes(queue !== 1n && this.#runQueues().has(queue));
      }
      case "worker_pool":
        return yes(this.#isRing("worker_pool", "workers", at));
      case "function":
        return isStrayModule(this.#kernel, at) ? "unknown" : yes(this.#code.isCode(at) && this.offsetInSymbol(at) === 0);
      case "socket":
        return yes(this.#mapped(to("socket", "sk")) && this.#mapped(to("socket", "ops")));
      case "sock":
        return this.#alone(at) ?? yes(this.#code.isCode(to("sock", "sk_state_change")));
      case "user_struct":
        return this.#isHeld("user_struct", ["__count.refs.counter", "__count.counter"], at);
      case "user_namespace":
        return this.#isNamespace(at);
      case "group_info":
        return this.#isHeld("group_info", ["usage.refs.counter", "usage.counter"], at);
      case "xarray":
        // Nothing in a struct xarray tells that it is one: only what cannot be an address is wrong for certain.
        return "unknown";
      case "xa_node":
        return this.#alone(at) ?? yes(this.#mapped(to("xa_node", "array")));
      case "kernfs_node":
        return this.#alone(at) ?? yes(this.#mapped(to("kernfs_node", "name")));
      case "ops":
        return isTable(this.#kernel, this.#code, at, member);
    }
  }

  /** Of what has a cache of its own: not in the middle of an object. undefined when that does not speak against it. */
  #alone(at: VirtualAddress): Validity | undefined {
    const found = this.#slabs?.objectOf(at);
    return found !== undefined && found.offset !== 0 ? "no" : undefined;
  }

  #runQueues(): ReadonlySet<bigint> {
    return this.#kernel.memo(RUN_QUEUES, () => {
      const queues = this.#kernel.tryAddress("runqueues");
      if (queues === undefined) return new Set<bigint>();
      return new Set<bigint>(
        this.#kernel.perCpuOffsets.flatMap((offset, cpu) => (offset === undefined ? [] : [this.#kernel.perCpuAddress(queues, cpu)])),
      );
    });
  }

  /** An object of its own whose counter is that of something in use. */
  #isHeld(type: string, counters: readonly string[], at: VirtualAddress): Validity {
    const field = this.#kernel.types.struct(type).firstField(...counters);
    if (field === undefined) return "unknown";
    const value = field.size === 8 ? this.#kernel.memory.s64(field.address(at)) : BigInt(this.#kernel.memory.s32(field.address(at)));
    return this.#alone(at) ?? (value > 0n && value < 1n << 24n ? "yes" : "no");
  }

  /** Its operations are those of user namespaces, and its owner another of them. */
  #isNamespace(at: VirtualAddress): Validity {
    const first = this.#kernel.tryAddress("init_user_ns");
    if (at === first) return "yes";
    const field = this.#kernel.types.struct("user_namespace").tryField("ns.ops");
    // The symbol is a static one, and may be missing.
    const ops = this.#kernel.tryAddress("userns_operations") ?? (first === undefined ? undefined : field?.pointer(first));
    if (ops === undefined || field === undefined) return this.#alone(at) ?? "unknown";
    return this.#alone(at) ?? (field.pointer(at) === ops ? "yes" : "no");
  }

  #pointer(type: string, path: string, at: VirtualAddress): bigint {
    const field = this.#kernel.types.struct(type).field(path);
    const word = wordAt(this.#kernel, field.address(at));
    if (word === "unknown") throw new LookupError(`${type}.${path} is not in the dump`);
    return word === "nowhere" ? 1n : pointerOf(this.#kernel, word);
  }

  #text(value: bigint): string {
    const bytes = this.#kernel.arch.isKernelAddress(value) ? this.#kernel.memory.tryBytes(virtual(value), 34) : undefined;
    if (bytes === undefined && wordAt(this.#kernel, value) !== "nowhere") throw new LookupError("a name is not in the dump");
    return bytes === undefined ? "" : String.fromCharCode(...bytes).replace(/\0.*$/s, "");
  }

  #mapped(value: bigint): boolean {
    const word = wordAt(this.#kernel, value);
    return word !== "nowhere";
  }

  #isRing(type: string, path: string, at: VirtualAddress): boolean {
    const head = this.#kernel.types.struct(type).field(path).address(at);
    const next = wordAt(this.#kernel, head);
    if (next === "unknown") throw new LookupError(`${type}.${path} is not in the dump`);
    const back = typeof next === "bigint" ? wordAt(this.#kernel, add(pointerOf(this.#kernel, next), 8)) : undefined;
    return back === "unknown" || (typeof back === "bigint" && pointerOf(this.#kernel, back) === head);
  }

  /** struct pid of the initial namespace's view: numbers[0].ns is init_pid_ns. */
  #isPid(at: VirtualAddress): boolean {
    const pid = this.#kernel.types.struct("pid");
    const upid = this.#kernel.types.struct("upid");
    const numbers = pid.field("numbers");
    const namespace = virtual(add(at, numbers.offset + upid.field("ns").offset));
    const symbol = this.#kernel.tryAddress("init_pid_ns");
    return symbol === undefined ? this.#mapped(this.#kernel.memory.u64(namespace)) : this.#kernel.memory.u64(namespace) === symbol;
  }

  /** Types of file systems that are registered, as far as they are known. */
  get fileSystems(): ReadonlySet<bigint> {
    return this.#sets.fileSystems;
  }

  /** Bytes from the start of the symbol that the address lies in; undefined outside of the kernel's and modules' data. */
  offsetInSymbol(value: bigint): number | undefined {
    const found = this.#kernel.symbols.byAddress(virtual(value));
    return found === undefined ? undefined : distance(virtual(value), found.symbol.address);
  }
}
