/**
 * Sockets of open files: include/linux/net.h, include/net/sock.h.
 *
 *   file.private_data ─► socket { file, ops, sk } ◄─► sock { sk_socket, skc_prot, sk_refcnt }
 *
 * A file is a socket's when the inode lies right behind the socket (struct socket_alloc) and the socket names the file.
 */
import { add, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import type { Survey } from "../survey.ts";

export function surveySocket(survey: Survey, file: VirtualAddress, inode: VirtualAddress, why: string): void {
  const embedded = survey.field("socket_alloc", "vfs_inode");
  const inner = survey.field("socket_alloc", "socket");
  const block = survey.follow("inode", "i_sb", inode);
  if (embedded === undefined || inner === undefined || block === undefined || !isSockfs(survey, block)) return;
  const socket = virtual(add(inode, inner.offset - embedded.offset));
  if (!survey.visit("socket", socket)) return;
  survey.pointer("socket", "file", socket, "file", { value: file, what: "the file's inode lies in the same socket_alloc", doubtful: true });
  survey.pointer("socket", "ops", socket, "ops");
  survey.mutual("socket", "sk", socket, "sock", "sk_socket");
  const sock = survey.pointer("socket", "sk", socket, "sock");
  if (sock === undefined || !survey.visit("sock", sock)) return;
  survey.pointer("sock", "sk_socket", sock, "socket", { value: socket, what: "the socket leads to it", doubtful: true });
  survey.pointer("sock", "__sk_common.skc_prot", sock, "ops");
  survey.pointer("sock", "__sk_common.skc_net.net", sock, "net");
  survey.count("sock", ["__sk_common.skc_refcnt.refs.counter", "__sk_common.skc_refcnt.counter"], sock, why);
}

function isSockfs(survey: Survey, block: VirtualAddress): boolean {
  const type = survey.follow("super_block", "s_type", block);
  const name = type === undefined ? undefined : survey.follow("file_system_type", "name", type);
  const bytes = name === undefined ? undefined : survey.kernel.memory.tryBytes(name, 7);
  return bytes !== undefined && String.fromCharCode(...bytes) === "sockfs\0";
}
