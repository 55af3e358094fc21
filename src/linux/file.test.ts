import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { dentryChildren } from "./dentry.ts";
import { fileDescriptors, openFiles } from "./file.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const LIST = { next: [0, "u64"], prev: [8, "u64"] } as const;
const TABLE = {
  list_head: LIST,
  hlist_head: { first: [0, "u64"] },
  hlist_node: { next: [0, "u64"], pprev: [8, "u64"] },
  hlist_bl_node: { next: [0, "u64"], pprev: [8, "u64"] },
  task_struct: { files: [0, "u64"] },
  files_struct: { fdt: [0, "u64"] },
  fdtable: { max_fds: [0, "u32"], fd: [8, "u64"] },
  path: { mnt: [0, "u64"], dentry: [8, "u64"] },
  file: { f_path: [0, "path"], f_inode: [16, "u64"], f_mode: [24, "u32"] },
  qstr: { hash: [0, "u64"], name: [8, "u64"] },
  dentry: {
    d_hash: [0, "hlist_bl_node"],
    d_parent: [16, "u64"],
    d_name: [24, "qstr"],
    d_inode: [40, "u64"],
    d_op: [48, "u64"],
    d_sb: [56, "u64"],
    d_fsdata: [64, "u64"],
    d_sib: [72, "hlist_node"],
    d_children: [88, "hlist_head"],
  },
  dentry_operations: { d_dname: [0, "u64"] },
  inode: { i_mode: [0, "u16"], i_ino: [8, "u64"] },
  vfsmount: { mnt_root: [0, "u64"], mnt_sb: [8, "u64"], mnt_flags: [16, "u32"] },
  mount: { mnt_parent: [0, "u64"], mnt_mountpoint: [8, "u64"], mnt: [16, "vfsmount"], mnt_devname: [40, "u64"], mnt_id: [48, "u32"] },
  super_block: { s_type: [0, "u64"] },
  file_system_type: { name: [0, "u64"] },
  sock_common: { skc_prot: [0, "u64"] },
  sock: { __sk_common: [0, "sock_common"] },
  proto: { name: [0, "bytes32"] },
  socket: { sk: [0, "u64"] },
  socket_alloc: { socket: [0, "socket"], vfs_inode: [16, "inode"] },
} as const;

const BASE = 0xffff_8880_0000_0000n;
const TASK = BASE;
const FDS = BASE + 0x1000n;
const MOUNT = BASE + 0x200n;
const ROOT = BASE + 0x2000n;

/** One mount, its root dentry, a task with a table of `max` descriptors at FDS. */
class FileKernel extends FakeKernel {
  #next = BASE + 0x3000n;

  constructor(max = 64) {
    super(TABLE);
    this.memory.write(BASE, new Uint8Array(0x1000));
    this.memory.write(FDS, new Uint8Array(max * 8));
    this.memory.put64(TASK, BASE + 0x100n);
    this.memory.put64(BASE + 0x100n, BASE + 0x110n);
    this.memory.put32(BASE + 0x110n, max);
    this.memory.put64(BASE + 0x118n, FDS);
    this.memory.put64(MOUNT, MOUNT);
    this.memory.put64(MOUNT + 16n, ROOT);
    this.dentryAt(ROOT, "/", ROOT);
    const texts = new Map<string, bigint>();
    Object.defineProperty(this, "symbols", {
      value: {
        byAddress: (at: bigint) => {
          for (const [name, address] of texts) if (address === at) return { symbol: { name, address }, offset: 0 };
          return undefined;
        },
      },
    });
    this.functions = texts;
  }
  readonly functions: Map<string, bigint>;

  #take(bytes: number): bigint {
    const at = this.#next;
    this.#next += BigInt((bytes + 15) & ~15);
    this.memory.write(at, new Uint8Array(bytes));
    return at;
  }

  dentryAt(at: bigint, name: string, parent: bigint): void {
    const text = this.#take(name.length + 1);
    this.memory.putText(text, name);
    this.memory.write(at, new Uint8Array(96));
    this.memory.put64(at + 8n, 1n);
    this.memory.put64(at + 16n, parent);
    this.memory.put64(at + 32n, text);
  }

  /** Opens a file of that name in the root as `fd`; gives the dentry. */
  open(fd: number, name: string, mode: number, inode = this.#take(32)): bigint {
    const dentry = this.#take(96);
    this.dentryAt(dentry, name, ROOT);
    this.memory.put64(dentry + 40n, inode);
    this.memory.put16(inode, mode);
    this.memory.put64(inode + 8n, 77n);
    const file = this.#take(32);
    this.memory.put64(file, MOUNT + 16n);
    this.memory.put64(file + 8n, dentry);
    this.memory.put64(file + 16n, inode);
    this.memory.put64(FDS + BigInt(fd * 8), file);
    return dentry;
  }

  /** Gives a dentry operations whose d_dname is this function. */
  named(dentry: bigint, maker: string): void {
    const operations = this.#take(16);
    const text = 0xffff_ffff_8100_0000n + BigInt(this.functions.size) * 0x100n;
    this.functions.set(maker, text);
    this.memory.put64(operations, text);
    this.memory.put64(dentry + 48n, operations);
  }

  files(): { readonly rows: readonly string[]; readonly notes: readonly string[] } {
    const notes: string[] = [];
    const rows = [...openFiles(this.kernel, virtual(TASK), notes)].map(({ fd, type, path }) => `${fd} ${type} ${path}`);
    return { rows, notes };
  }
}

describe("openFiles", () => {
  test("types, paths, and files whose name was removed", () => {
    const fake = new FileKernel();
    fake.open(0, "null", 0o020666);
    fake.open(3, "log", 0o100644);
    const gone = fake.open(7, "gone", 0o100644);
    fake.memory.put64(gone + 8n, 0n);
    fake.open(63, "odd", 0);
    expect(fake.files()).toEqual({ rows: ["0 CHR /null", "3 REG /log", "7 REG /gone (deleted)", "63 UNKN /odd"], notes: [] });
  });

  test("names that file systems make up", () => {
    const fake = new FileKernel();
    fake.named(fake.open(0, "", 0o010600), "pipefs_dname");
    fake.named(fake.open(1, "[eventpoll]", 0), "anon_inodefs_dname.llvm.4711");
    fake.named(fake.open(2, "memfd:x", 0o100600), "simple_dname");
    fake.named(fake.open(3, "", 0), "pidfs_dname");
    fake.named(fake.open(4, "what", 0), "unheard_of_dname");
    expect(fake.files().rows).toEqual([
      "0 FIFO pipe:[77]",
      "1 UNKN anon_inode:[eventpoll]",
      "2 REG /memfd:x (deleted)",
      "3 UNKN anon_inode:[pidfd]",
      "4 UNKN what",
    ]);
  });

  test("a socket is told with its protocol", () => {
    const fake = new FileKernel();
    const both = BASE + 0x800n;
    fake.memory.put64(both, BASE + 0x880n);
    fake.memory.put64(BASE + 0x880n, BASE + 0x8c0n);
    fake.memory.putText(BASE + 0x8c0n, "TCPv6");
    fake.named(fake.open(5, "", 0o140777, both + 16n), "sockfs_dname");
    const [file] = openFiles(fake.kernel, virtual(TASK));
    expect(file).toMatchObject({ fd: 5, type: "SOCK", path: "socket:[77]" });
    expect(file?.socket).toEqual({ socket: both, sock: BASE + 0x880n, protocol: "TCPv6" });
  });

  test("a wild pointer costs its own row only", () => {
    const fake = new FileKernel();
    fake.open(0, "a", 0o100644);
    fake.memory.put64(FDS + 8n, 0x4141_4141_4141_4141n);
    fake.open(2, "b", 0o100644);
    const rows = [...openFiles(fake.kernel, virtual(TASK))];
    expect(rows.map(({ fd, path }) => [fd, path])).toEqual([
      [0, "/a"],
      [1, "?"],
      [2, "/b"],
    ]);
    expect(rows[1]?.problem).toMatch(/41414141414141\d\d/);
  });

  test("a table with unreadable pages is read around them; one that is absurdly long is not believed", () => {
    const fake = new FileKernel(2048);
    const far = FDS + 0x4000n;
    fake.memory.put64(BASE + 0x118n, far);
    fake.memory.put64(far, 0x1111n);
    fake.memory.put64(far + 0x2000n, 0x2222n);
    const notes: string[] = [];
    expect([...fileDescriptors(fake.kernel, virtual(TASK), notes)].map(({ fd }) => fd)).toEqual([0, 1024]);
    expect(notes).toEqual(["descriptors 512 to 1023 cannot be read", "descriptors 1536 to 2047 cannot be read"]);

    fake.memory.put32(BASE + 0x110n, 0xffff_fff0);
    notes.length = 0;
    expect([...fileDescriptors(fake.kernel, virtual(TASK), notes)].map(({ fd }) => fd)).toEqual([0]);
    expect(notes[0]).toMatch(/4294967280 descriptors: it is damaged/);
  });

  test("a task that has exited has none", () => {
    const fake = new FileKernel();
    fake.memory.put64(TASK, 0n);
    expect(fake.files()).toEqual({ rows: [], notes: [] });
  });
});

test("dentryChildren follows d_children", () => {
  const fake = new FileKernel();
  const [first, second] = [fake.open(0, "x", 0o100644), fake.open(1, "y", 0o100644)];
  fake.memory.put64(ROOT + 88n, first + 72n);
  fake.memory.put64(first + 72n, second + 72n);
  fake.memory.put64(first + 80n, ROOT + 88n);
  fake.memory.put64(second + 80n, first + 72n);
  expect([...dentryChildren(fake.kernel, virtual(ROOT))]).toEqual([first, second]);
  fake.memory.put64(second + 72n, first + 72n);
  expect(() => [...dentryChildren(fake.kernel, virtual(ROOT))]).toThrow(/circle|pprev/);
});
