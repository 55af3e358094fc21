/** `net -s`, `net -S`: the sockets that a task has open. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError, UsageError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { inet6Groups, readSock, type Sock } from "../../linux/net/sock.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_VSOCK } from "../../linux/net/sock-names.ts";
import { type TaskSocket, taskSockets } from "../../linux/net/task-sockets.ts";
import { type Task, taskAt } from "../../linux/task.ts";
import type { ParsedArguments } from "../arguments.ts";
import type { Session } from "../command.ts";
import { lazy } from "../support/lazy.ts";
import { chosenRadix } from "../support/radix.ts";
import { resolveStruct } from "../support/struct-name.ts";
import { type ObjectValue, objectLines, readObject } from "../support/struct-object.ts";
import { taskHeader } from "../support/task-header.ts";
import { taskOperand } from "../support/task-operand.ts";
import { valueReader } from "../support/value-reader.ts";
import { defineNetView } from "./view.ts";

export interface SocketRow {
  readonly fd: number;
  /** struct socket. */
  readonly socket: bigint;
  /** struct sock. */
  readonly sock: bigint;
  /** What it is; absent when it cannot be read. */
  readonly details?: Sock;
  /** Both ends of an IPv6 socket with all groups. */
  readonly groups?: { readonly local: string; readonly remote: string };
  readonly problem?: string;
  /** -S: struct socket, and the structure that holds the sock. */
  readonly structures?: readonly { readonly name: string; readonly object: ObjectValue }[];
}

export interface TaskSocketList {
  readonly task: Pick<Task, "pid" | "comm" | "address" | "cpu">;
  readonly sockets: readonly SocketRow[];
  readonly notes: readonly string[];
}

export interface TaskSocketsResult {
  /** Read as they are shown. */
  readonly tasks: Iterable<TaskSocketList>;
  /** -R leaves out tasks and sockets without the thing named. */
  readonly reference?: string;
  readonly radix?: 10 | 16;
}

/** The structure that a sock of the family begins. */
const WHOLE: Readonly<Record<number, string>> = {
  [AF_UNIX]: "unix_sock",
  [AF_INET]: "inet_sock",
  [AF_INET6]: "inet_sock",
  [AF_NETLINK]: "netlink_sock",
  [AF_PACKET]: "packet_sock",
  [AF_VSOCK]: "vsock_sock",
};

export const ofTask = defineNetView<TaskSocketsResult>({
  options: [
    { flag: "-s", help: "open sockets of the context task or of the tasks named: family, type, addresses and ports" },
    { flag: "-S", help: "the same, and each socket's struct socket and struct sock" },
  ],
  modifiers: [
    { flag: "-R", argument: "ref", help: "with -s or -S: only a file descriptor (decimal), socket or sock (hexadecimal)" },
    { flag: "-x", help: "with -S: numbers in hexadecimal" },
    { flag: "-d", help: "with -S: numbers in decimal" },
  ],
  synopsis: ["[-s | -S] [-xd] [-R ref] [pid | task]…"],
  examples: [
    ["net -s 1234", "sockets of process 1234"],
    ["foreach net -s -R ff305ae4c2c24800", "who has this socket open"],
  ],
  differences: [
    "-S shows the structure that the socket has (unix_sock, packet_sock …); crash shows the memory of every socket as a struct inet_sock.",
    "The two ends of IPv6 sockets stand one blank apart.",
  ],
  run(session, args) {
    const { kernel } = session;
    const radix = chosenRadix(args);
    const reference = args.value("-R");
    const chosen =
      args.operands.length === 0 ? [taskAt(kernel, session.context)] : args.operands.map((operand) => taskOperand(kernel, operand));
    const wanted = reference === undefined ? () => true : referenceTest(reference);
    return {
      tasks: lazy(function* () {
        for (const task of chosen) yield listOf(session, task, args, wanted);
      }),
      ...(reference === undefined ? {} : { reference }),
      ...(radix === undefined ? {} : { radix }),
    };
  },
  *text({ tasks, reference, radix }, layout) {
    let first = true;
    for (const { task, sockets, notes } of tasks) {
      if (reference !== undefined && sockets.length === 0) continue;
      if (!first) yield "";
      first = false;
      yield taskHeader(task);
      if (sockets.length === 0 && notes.length === 0) yield "No open sockets.";
      const whole = sockets.some(({ structures }) => structures !== undefined);
      if (sockets.length > 0 && !whole) yield "FD      SOCKET            SOCK       FAMILY:TYPE SOURCE-PORT DESTINATION-PORT";
      let shown = 0;
      for (const row of sockets) {
        if (row.structures === undefined) yield socketLine(row);
        else {
          if (shown++ > 0) yield "";
          yield* wholeSocket(row, radix ?? layout.radix);
        }
      }
      for (const note of notes) yield `net: ${note}`;
    }
  },
});

/** A decimal number is a file descriptor, a hexadecimal one a socket or sock. */
function referenceTest(text: string): (socket: TaskSocket) => boolean {
  if (!/^(0x)?[0-9a-f]+$/i.test(text)) throw new UsageError(`-R wants a file descriptor, or the address of a socket or sock: ${text}`);
  const fd = /^\d+$/.test(text) ? Number(text) : undefined;
  const address = BigInt(`0x${text.replace(/^0x/i, "")}`);
  return (each) => each.fd === fd || each.socket === address || each.sock === address;
}

function listOf(session: Session, task: Task, args: ParsedArguments, wanted: (socket: TaskSocket) => boolean): TaskSocketList {
  const notes: string[] = [];
  const { pid, comm, address, cpu } = task;
  const sockets = [...taskSockets(session.kernel, address, notes)].filter(wanted).map((each) => rowOf(session, each, args.has("-S")));
  return { task: { pid, comm, address, cpu }, sockets, notes };
}

function rowOf(session: Session, { fd, socket, sock }: TaskSocket, whole: boolean): SocketRow {
  const { kernel } = session;
  const head = { fd, socket, sock };
  if (sock === 0n) return { ...head, problem: "it has no sock: it was released" };
  try {
    const details = readSock(kernel, sock);
    const row: SocketRow = { ...head, details };
    const told = details.family === AF_INET6 ? { ...row, groups: inet6Groups(kernel, sock) } : row;
    return whole ? { ...told, structures: structuresOf(session, socket, sock, details.family) } : told;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { ...head, problem: error.message };
  }
}

function structuresOf(
  session: Session,
  socket: VirtualAddress,
  sock: VirtualAddress,
  family: number,
): NonNullable<SocketRow["structures"]> {
  const reader = valueReader(session);
  return [["socket", socket] as const, [structureOf(session.kernel, family), sock] as const].map(([name, address]) => ({
    name,
    object: readObject(reader, resolveStruct(session.kernel, name, "struct"), address),
  }));
}

function structureOf(kernel: Kernel, family: number): string {
  const name = WHOLE[family];
  return name !== undefined && kernel.types.tryStruct(name, { modules: true }) !== undefined ? name : "sock";
}

function socketLine({ fd, socket, sock, details, groups, problem }: SocketRow): string {
  const head = `${String(fd).padStart(2)} ${hex16(socket)} ${hex16(sock)} `;
  if (details === undefined) return `${head}(${problem ?? "unreadable"})`;
  const { familyName, type = "", local, remote } = details;
  if (local === undefined || remote === undefined) return `${head}${familyName}:${type}`;
  const kind = `${familyName}:${type === "STREAM" || type === "DGRAM" ? type.padEnd(6) : type}`;
  if (groups !== undefined) return `${head}${kind} ${groups.local}-${local.port} ${groups.remote}-${remote.port}`;
  return `${head}${kind}  ${local.address}-${local.port} ${remote.address}-${remote.port}`;
}

function* wholeSocket({ fd, socket, sock, structures, problem }: SocketRow, radix: 10 | 16): Iterable<string> {
  yield "FD       SOCKET             SOCK";
  yield `${String(fd).padStart(2)}  ${hex16(socket)}  ${hex16(sock)}`;
  if (problem !== undefined) yield `(${problem})`;
  yield "";
  for (const { name, object } of structures ?? []) {
    const struct = { type: { kind: "struct" as const, name, size: 0, members: [] }, name, isTypedef: false, members: [] };
    yield* objectLines(struct, object, radix);
  }
}
