/** A client of QEMU's machine protocol (QMP): one JSON object per line over a local socket; one command at a time is all the lab needs. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

interface Reply {
  readonly QMP?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** An open conversation with one QEMU. */
export class QmpClient {
  private readonly socket: Socket;
  private readonly replies: Reply[] = [];
  private wake: (() => void) | undefined;
  private closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    createInterface({ input: socket }).on("line", (line) => {
      const message = JSON.parse(line) as Reply;
      if (message.return === undefined && message.error === undefined && message.QMP === undefined) return;
      this.replies.push(message);
      this.wake?.();
    });
    socket.on("close", () => {
      this.closed = true;
      this.wake?.();
    });
    socket.on("error", () => {});
  }

  /** Connect to the socket and leave capability negotiation. */
  static async open(path: string, timeoutMs = 10_000): Promise<QmpClient> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      try {
        const socket = await new Promise<Socket>((resolve, reject) => {
          const attempt = connect(path, () => resolve(attempt));
          attempt.once("error", reject);
        });
        const client = new QmpClient(socket);
        await client.next(timeoutMs);
        await client.command("qmp_capabilities");
        return client;
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** Send a command and wait for its answer; throws with QEMU's own description when it refuses. */
  async command(name: string, args: Readonly<Record<string, unknown>> = {}, timeoutMs = 60_000): Promise<unknown> {
    this.socket.write(`${JSON.stringify({ execute: name, arguments: args })}\n`);
    const reply = await this.next(timeoutMs);
    if (reply.error !== undefined) throw new Error(`QEMU refuses ${name}: ${reply.error.desc}`);
    return reply.return;
  }

  close(): void {
    this.socket.destroy();
  }

  private async next(timeoutMs: number): Promise<Reply> {
    const end = Date.now() + timeoutMs;
    while (this.replies.length === 0) {
      if (this.closed) throw new Error("QEMU closed the conversation");
      const left = end - Date.now();
      if (left <= 0) throw new Error("QEMU did not answer in time");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.replies.shift()!;
  }
}
