/**
 * AF_VSOCK (include/net/af_vsock.h): both ends are a context and a port. The type comes from the module vsock.
 *
 *   vsock_sock { local_addr, remote_addr: sockaddr_vm { svm_family, svm_port, svm_cid } }
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";

/** One end; cid 2 is the host, port and cid 0xffffffff any. */
export interface VsockEnd {
  readonly cid: number;
  readonly port: number;
}

/** What a VSOCK socket has besides. */
export interface VsockDetails {
  readonly local: VsockEnd;
  readonly remote: VsockEnd;
}

/** undefined where the type is not known. @throws FaultError */
export function vsockDetails(kernel: Kernel, sock: VirtualAddress): VsockDetails | undefined {
  const struct = kernel.types.tryStruct("vsock_sock", { modules: true });
  if (struct === undefined) return undefined;
  const end = (name: string) => ({
    cid: struct.field(`${name}.svm_cid`).number(sock) >>> 0,
    port: struct.field(`${name}.svm_port`).number(sock) >>> 0,
  });
  return { local: end("local_addr"), remote: end("remote_addr") };
}
