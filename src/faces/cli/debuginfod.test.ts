import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cachedDebugInfo, downloadDebugInfo } from "./debuginfod.ts";

const ID = "abcdef01";
let directory: string;
let servers: Server[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "inquest-debuginfod-"));
  servers = [];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true });
});

/** A server on the loopback interface; returns its address. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const missing: RequestListener = (_, response) => response.writeHead(404).end();
const environment = (...urls: readonly string[]) => ({ DEBUGINFOD_URLS: urls.join(" "), DEBUGINFOD_CACHE_PATH: directory });

describe("debuginfod", () => {
  it("keeps files where its other clients look for them", () => {
    expect(cachedDebugInfo(ID, { DEBUGINFOD_CACHE_PATH: "/c", XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe(`/c/${ID}/debuginfo`);
    expect(cachedDebugInfo(ID, { XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe(`/x/debuginfod_client/${ID}/debuginfo`);
    expect(cachedDebugInfo(ID, { HOME: "/h" })).toBe(`/h/.cache/debuginfod_client/${ID}/debuginfo`);
  });

  it("fetches from the first server that has it, once", async () => {
    const asked: (string | undefined)[] = [];
    const content = Buffer.alloc(300_000, "debug");
    const good = await serve((request, response) => {
      asked.push(request.url);
      response.writeHead(200, { "content-length": content.length }).end(content);
    });
    const progress: [string, number, number][] = [];
    const variables = environment(await serve(missing), `${good}/`);
    const path = await downloadDebugInfo(ID, variables, (...words) => progress.push(words));
    expect(path).toBe(join(directory, ID, "debuginfo"));
    expect(Buffer.compare(readFileSync(path), content)).toBe(0);
    expect(asked).toEqual([`/buildid/${ID}/debuginfo`]);
    expect(progress.at(-1)).toEqual(["downloading debug information:", content.length, content.length]);
    expect(await downloadDebugInfo(ID, variables)).toBe(path);
    expect(asked).toHaveLength(1);
  });

  it("says of each server why not, and leaves nothing behind", async () => {
    const broken = await serve((_, response) => response.writeHead(500).end());
    const cut = await serve((_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write("abc");
      setTimeout(() => response.destroy(), 20);
    });
    const variables = environment(await serve(missing), broken, cut);
    const failure = await downloadDebugInfo(ID, variables).catch((error: Error) => error.message);
    expect(failure).toMatch(
      new RegExp(`^no debug file of build-id ${ID}: http://\\S+: has none; http://\\S+: answers 500; http://\\S+: .+`),
    );
    expect(failure).not.toContain("\n");
    expect(readdirSync(join(directory, ID))).toEqual([]);
    await expect(downloadDebugInfo(ID, environment("http://127.0.0.1:1"))).rejects.toThrow("127.0.0.1:1: ");
    await expect(downloadDebugInfo(ID, environment())).rejects.toThrow("DEBUGINFOD_URLS names no server");
    await expect(downloadDebugInfo(ID, environment("file:///etc"))).rejects.toThrow("names no server");
  });

  it("gives up on a server that sends nothing", async () => {
    const silent = await serve((_, response) => {
      response.writeHead(200);
      response.write("a");
    });
    const variables = { ...environment(silent), DEBUGINFOD_TIMEOUT: "0.2" };
    await expect(downloadDebugInfo(ID, variables)).rejects.toThrow("no answer in time");
    expect(readdirSync(join(directory, ID))).toEqual([]);
  });
});
