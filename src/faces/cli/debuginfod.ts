/**
 * Debug files from debuginfod servers, by build-id, into the cache that all its clients share (debuginfod(8), debuginfod_find_debuginfo(3)).
 * Only used when asked for: a kernel's file has hundreds of megabytes.
 *
 *   GET $URL/buildid/3b43…/debuginfo   ──►   $DEBUGINFOD_CACHE_PATH/3b43…/debuginfo      written aside, then renamed
 *
 * DEBUGINFOD_URLS holds the servers, apart by spaces; DEBUGINFOD_TIMEOUT the seconds (90) without a byte after which one is given up.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { homedir } from "node:os";
import { UsageError } from "../../bytes/errors.ts";
import { fileExists } from "../../bytes/file-source.ts";
import { makeDirectory } from "../../bytes/make-directory.ts";
import { directoryOf } from "../../bytes/paths.ts";

/** Larger than any kernel's debug file; a server may not fill the disk. */
const MAX_SIZE = 16 * 2 ** 30;
const DEFAULT_TIMEOUT = 90;

/** Called for each piece that arrives; `total` is 0 where the server does not say. */
export type DownloadProgress = (what: string, done: number, total: number) => void;

/** Where the shared cache keeps the debug file of a build-id. */
export function cachedDebugInfo(buildId: string, environment: NodeJS.ProcessEnv): string {
  const home = environment.HOME || homedir();
  const cache = environment.DEBUGINFOD_CACHE_PATH || `${environment.XDG_CACHE_HOME || `${home}/.cache`}/debuginfod_client`;
  return `${cache}/${buildId}/debuginfo`;
}

/** Fetches a debug file from the first server that has it; returns its path in the cache. Throws UsageError with the reason of each server. */
export async function downloadDebugInfo(buildId: string, environment: NodeJS.ProcessEnv, progress?: DownloadProgress): Promise<string> {
  const servers = (environment.DEBUGINFOD_URLS ?? "").split(/\s+/).filter((each) => /^https?:\/\//.test(each));
  if (servers.length === 0) throw new UsageError("DEBUGINFOD_URLS names no server");
  const path = cachedDebugInfo(buildId, environment);
  if (fileExists(path)) return path;
  const reasons: string[] = [];
  for (const server of servers) {
    try {
      await download(`${server.replace(/\/+$/, "")}/buildid/${buildId}/debuginfo`, path, timeoutOf(environment), progress);
      return path;
    } catch (error) {
      reasons.push(`${server}: ${reasonOf(error)}`);
    }
  }
  throw new UsageError(`no debug file of build-id ${buildId}: ${reasons.join("; ")}`);
}

async function download(url: string, path: string, timeout: number, progress: DownloadProgress | undefined): Promise<void> {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), timeout);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), timeout);
  };
  const aside = `${path}.${process.pid}.part`;
  let file: number | undefined;
  try {
    const response = await fetch(url, { signal: stop.signal });
    if (!response.ok) throw new Error(response.status === 404 ? "has none" : `answers ${response.status}`);
    if (response.body === null) throw new Error("sends nothing");
    // With a content coding the length is that of the packed stream.
    const total = response.headers.get("content-encoding") === null ? Number(response.headers.get("content-length") ?? 0) : 0;
    makeDirectory(directoryOf(path));
    file = openSync(aside, "w", 0o600);
    let done = 0;
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      alive();
      done += piece.length;
      if (done > MAX_SIZE) throw new Error(`sends more than ${MAX_SIZE} bytes`);
      for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at);
      progress?.("downloading debug information:", done, total);
    }
    if (total > 0 && done !== total) throw new Error(`sends ${done} of ${total} bytes`);
    closeSync(file);
    file = undefined;
    renameSync(aside, path);
  } finally {
    clearTimeout(timer);
    if (file !== undefined) {
      closeSync(file);
      rmSync(aside, { force: true });
    }
  }
}

function timeoutOf(environment: NodeJS.ProcessEnv): number {
  const seconds = Number(environment.DEBUGINFOD_TIMEOUT);
  return (seconds > 0 ? seconds : DEFAULT_TIMEOUT) * 1000;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "AbortError") return "no answer in time";
  const cause = error.cause as { code?: string } | undefined;
  return cause?.code ?? error.message;
}
