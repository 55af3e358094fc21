/** `mount`: mounted file systems of a namespace. */
import { hex16, virtual } from "../bytes/address.ts";
import { LookupError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Mount, mountTable } from "../linux/mount.ts";
import { taskAt } from "../linux/task.ts";
import { mountApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { parseNumber } from "./support/evaluate.ts";
import { taskOperand } from "./support/task-operand.ts";

export interface MountResult {
  readonly mounts: readonly Mount[];
  readonly notes: readonly string[];
}

const SYNOPSIS = "[-n pid | task] [mount | vfsmount | superblock | device | directory | dentry | inode]…";

export const mount = defineCommand<MountResult>({
  spec: {
    name: "mount",
    summary: "mounted file systems",
    synopsis: [SYNOPSIS],
    description: [
      "Lists the mounts of the context task's mount namespace in the order of /proc/mounts: struct mount, super block, type, device and directory.",
      "Operands narrow the list: the address of a mount, vfsmount or super block, a device, type or directory, or a dentry or inode, which shows the mounts of its file system.",
    ],
    options: [
      { flag: "-n", argument: "pid | task", help: "the mounts that this task sees" },
      { flag: "-f", help: "open files of the super block; kernels from 3.13 on keep no list of them" },
      { flag: "-i", help: "dirty inodes of the super block; kernels from 2.6.32 on keep no list of them" },
    ],
    operands: ["text"],
    examples: [
      ["mount", "all mounts"],
      ["mount /tmp", "what is mounted there"],
      ["mount -n 1", "the mounts of pid 1's namespace"],
    ],
    differences: ["What an operand chooses is shown with every one of its mounts; a type may be named too."],
  },
  run(session, args) {
    const { kernel } = session;
    if (args.has("-f"))
      throw new UnsupportedError(
        "-f: kernels from 3.13 on keep no list of a super block's open files; foreach files -R DIRECTORY finds them",
      );
    if (args.has("-i"))
      throw new UnsupportedError(
        "-i: kernels from 2.6.32 on keep no list of a super block's dirty inodes (they hang at the device's writeback)",
      );
    const named = args.value("-n");
    const task = named === undefined ? taskAt(kernel, session.context) : taskOperand(kernel, named);
    const { mounts, notes } = mountTable(kernel, task.address);
    if (args.operands.length === 0) return { mounts, notes };
    const chosen = args.operands.flatMap((operand) => {
      const is = operandTest(kernel, operand);
      const found = mounts.filter(is);
      if (found.length === 0)
        throw new LookupError(`${operand} is no mount, super block, device, directory, dentry or inode of this namespace`);
      return found;
    });
    return { mounts: chosen.filter((each, i) => chosen.indexOf(each) === i), notes };
  },
  api: mountApi,
  *text({ mounts, notes }) {
    if (mounts.length > 0) yield "     MOUNT           SUPERBLK     TYPE   DEVNAME   DIRNAME";
    for (const { address, superblock, type, device, directory } of mounts)
      yield `${hex16(address)} ${hex16(superblock)} ${`${type.padEnd(6)} ${device}`.padEnd(16)} ${directory}`;
    for (const note of notes) yield `(${note})`;
  },
});

function operandTest(kernel: Kernel, operand: string): (each: Mount) => boolean {
  const address = parseNumber(operand, 16);
  if (address === undefined || !kernel.arch.isKernelAddress(address)) {
    if (operand.trim() === "") throw new UsageError(`usage: mount ${SYNOPSIS}`);
    return (each) => each.directory === operand || each.device === operand || each.type === operand;
  }
  const memory = kernel.memory;
  // A wrong guess reads a word that is no super block: only words that are one of a mount count.
  const behind = ["dentry.d_sb", "inode.i_sb"].map((path) => {
    const [struct = "", member = ""] = path.split(".");
    const field = kernel.types.tryStruct(struct)?.tryField(member);
    return field === undefined ? undefined : memory.tryU64(field.address(virtual(address)));
  });
  return (each) => each.address === address || each.vfsmount === address || each.superblock === address || behind.includes(each.superblock);
}
