/**
 * Debian packages of any suite and architecture without installing any: `apt-get` with package lists and an (empty) package status of its
 * own. The mirror is the one this machine's apt is set up for.
 */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";
import { ProcessError, run } from "./process.ts";

/** A suite of one architecture with its own package lists. */
export interface AptWorld {
  readonly suite: string;
  readonly arch: string;
  readonly dir: string;
}

export interface Mirrors {
  readonly main: string;
  readonly security: string | undefined;
}

/** The Debian archives the machine's apt knows; `INQUEST_LAB_MIRROR` (and `INQUEST_LAB_SECURITY_MIRROR`) come first. */
export async function debianMirrors(): Promise<Mirrors> {
  const given = process.env.INQUEST_LAB_MIRROR;
  if (given) return { main: given, security: process.env.INQUEST_LAB_SECURITY_MIRROR };
  const listed = await run("apt-get", ["indextargets", "--format", "$(CREATED_BY) $(REPO_URI)", "Created-By: Packages"]);
  const uris = new Set(
    listed.stdout
      .toString()
      .split("\n")
      .map((line) => line.split(" ")[1] ?? ""),
  );
  const ending = (suffix: RegExp) => [...uris].find((uri) => suffix.test(uri));
  const main = ending(/\/debian\/?$/);
  if (main === undefined) throw new Error("this machine's apt knows no Debian archive; set INQUEST_LAB_MIRROR to one");
  return { main, security: ending(/\/debian-security\/?$/) };
}

function options(world: AptWorld): string[] {
  const settings: Record<string, string> = {
    "Dir::Etc::SourceList": join(world.dir, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join(world.dir, "lists"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache::archives": join(world.dir, "archives"),
    "Dir::Cache::pkgcache": join(world.dir, "pkgcache.bin"),
    "Dir::Cache::srcpkgcache": join(world.dir, "srcpkgcache.bin"),
    "APT::Architecture": world.arch,
    "APT::Architectures": world.arch,
    "APT::Sandbox::User": "root",
    "APT::Install-Recommends": "false",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  return Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

function keyring(): string {
  const path = "/usr/share/keyrings/debian-archive-keyring.gpg";
  return existsSync(path) ? `[signed-by=${path}] ` : "";
}

/** Age at which package lists are fetched again. */
const LISTS_LAST_MS = 24 * 3600 * 1000;

/**
 * The lists of a suite, fetched when missing or old. `security: false` leaves the security archive out: after a suite's support has
 * ended its index may name files that are gone.
 */
export async function openApt(suite: string, arch: string, security = true): Promise<AptWorld> {
  const dir = cacheDir("apt", `${suite}-${arch}${security ? "" : "-main"}`);
  const world = { suite, arch, dir };
  await withLock(`apt-${basename(dir)}`, async () => {
    const stamp = join(dir, "updated");
    if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < LISTS_LAST_MS) return;
    const mirrors = await debianMirrors();
    const lines = [`deb ${keyring()}${mirrors.main} ${suite} main`];
    // Experimental holds little of its own and builds on sid.
    if (suite === "experimental") lines.push(`deb ${keyring()}${mirrors.main} sid main`);
    if (security && mirrors.security !== undefined && suite !== "sid" && suite !== "experimental") {
      lines.push(`deb ${keyring()}${mirrors.security} ${suite}-security main`);
    }
    writeFileSync(join(dir, "sources.list"), `${lines.join("\n")}\n`);
    for (const name of ["lists/partial", "archives/partial"]) mkdirSync(join(dir, name), { recursive: true });
    await run("apt-get", ["-q", ...options(world), "update"]);
    writeFileSync(stamp, "");
  });
  return world;
}

/** All package names of a suite. */
export async function packageNames(world: AptWorld): Promise<string[]> {
  const listed = await run("apt-cache", [...options(world), "pkgnames"]);
  return listed.stdout.toString().split("\n").filter(Boolean);
}

/** Download packages into `dir`; returns the package files in it. Throws {@link ProcessError} when one cannot be had. */
export async function download(world: AptWorld, packages: readonly string[], dir: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true });
  await run("apt-get", ["-q", ...options(world), "download", ...packages], { cwd: dir, timeoutMs: 900_000 });
  return packageFiles(dir);
}

function packageFiles(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(dir, name));
}

/** Download packages with everything they depend on, as if nothing were installed; returns the files. */
export async function downloadClosure(world: AptWorld, packages: readonly string[], dir: string): Promise<string[]> {
  mkdirSync(join(dir, "partial"), { recursive: true });
  const archive = ["-o", `Dir::Cache::archives=${dir}`];
  await run("apt-get", ["-q", "-y", ...options(world), ...archive, "install", "--download-only", ...packages], { timeoutMs: 900_000 });
  return packageFiles(dir);
}

/** Try with the security archive, then without it. */
export async function withAptFallback<T>(suite: string, arch: string, work: (world: AptWorld) => Promise<T>): Promise<T> {
  try {
    return await work(await openApt(suite, arch));
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    return await work(await openApt(suite, arch, false));
  }
}

/** Unpack packages into `root` without running any of their scripts. */
export async function unpack(debs: readonly string[], root: string): Promise<void> {
  mkdirSync(root, { recursive: true });
  for (const deb of debs) await run("dpkg-deb", ["-x", deb, root]);
}

/** One control field of a package file. */
export async function debField(deb: string, field: string): Promise<string> {
  return (await run("dpkg-deb", ["-f", deb, field])).stdout.toString().trim();
}
