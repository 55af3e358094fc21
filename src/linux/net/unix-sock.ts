/**
 * AF_UNIX (include/net/af_unix.h): the name a socket is bound to and its other end.
 *
 *   unix_sock { addr ─► unix_address { len, name: sockaddr_un }, peer ─► sock, path }
 *     "/run/x.sock"     a path in the file system          "@name"   abstract: a name that begins with NUL
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";

/** sizeof(struct sockaddr_un): two bytes of family and a path of 108. */
const MAX_NAME = 110;

/** What a UNIX socket has besides. */
export interface UnixDetails {
  /** As /proc/net/unix shows it; absent for a socket without a name. */
  readonly path?: string;
  /** struct sock of the other end; 0 when it is not connected. */
  readonly peer: VirtualAddress;
}

/** @throws FaultError */
export function unixDetails(kernel: Kernel, sock: VirtualAddress): UnixDetails {
  const struct = kernel.types.struct("unix_sock");
  const path = unixName(kernel, struct.field("addr").pointer(sock));
  return { ...(path === undefined ? {} : { path }), peer: struct.field("peer").pointer(sock) };
}

function unixName(kernel: Kernel, address: VirtualAddress): string | undefined {
  if (address === 0n) return undefined;
  const struct = kernel.types.struct("unix_address");
  const length = Math.min(struct.field("len").number(address), MAX_NAME);
  if (length <= 2) return undefined;
  const bytes = kernel.memory.bytes(add(struct.field("name").address(address), 2), length - 2);
  const abstract = bytes[0] === 0;
  // The kernel writes a NUL in an abstract name as @; a path ends at its own.
  const end = abstract ? bytes.length : bytes.indexOf(0);
  const text = new TextDecoder("utf-8", { fatal: false }).decode(bytes.subarray(0, end < 0 ? bytes.length : end));
  return abstract ? text.replaceAll("\0", "@") : text;
}
