/**
 * Connections and listeners with what waits in their queues and who holds them: whether a service had stopped to read, or its peer had.
 *
 *   inquest script examples/sockets.ts vmcore
 *   inquest script examples/sockets.ts vmcore -- 22          only this port
 *
 * Kernel side: struct sock (include/net/sock.h). Bytes are as the kernel accounts them, with the overhead of its buffers.
 */
import type { Kernel, SocketEnd, SocketEntry } from "inquest";

function end({ address, port }: SocketEnd): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port === 0 ? "*" : port}`;
}

function line({ sock, owners }: SocketEntry): string {
  const { protocolName, familyName, stateName, local, remote, queues } = sock;
  // What only listens has no other end.
  const ends = [local, remote?.port === 0 ? undefined : remote].flatMap((each) => (each === undefined ? [] : [end(each)])).join(" > ");
  const waiting = queues === undefined ? "" : `${queues.receiveBytes}/${queues.writeBytes}`;
  const holders = owners.map(({ pid, comm, fd }) => `${comm}(${pid}) fd ${fd}`).join(", ");
  return `${(protocolName ?? familyName).padEnd(8)} ${stateName.padEnd(12)} ${waiting.padStart(14)}  ${ends.padEnd(44)} ${holders}`.trimEnd();
}

export default function (kernel: Kernel, [port]: readonly string[]): string {
  const all = kernel.sockets();
  const readable = all.filter((each): each is SocketEntry => "sock" in each);
  const chosen = readable
    .filter(({ sock }) => sock.local !== undefined)
    .filter(({ sock }) => port === undefined || [sock.local?.port, sock.remote?.port].includes(Number(port)))
    .sort((a, b) => (a.sock.local?.port ?? 0) - (b.sock.local?.port ?? 0) || (a.sock.address < b.sock.address ? -1 : 1));
  const lost = all.length - readable.length;
  return [
    ...(chosen.length === 0 ? ["no IP sockets"] : ["PROTOCOL STATE        READ/SEND BYTES  ENDS", ...chosen.map(line)]),
    `${readable.length} sockets of all families${lost === 0 ? "" : `, ${lost} more cannot be read`}`,
    ...all.notes.map((note) => `(${note})`),
  ].join("\n");
}
