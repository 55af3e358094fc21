/**
 * Which build the dead kernel is, and whether a vmlinux is of the same. In this order:
 *
 *   build-id   the notes in the kernel's own memory (__start_notes … __stop_notes), which cannot be wrong;
 *              VMCOREINFO's BUILD-ID (5.9 on, 0935288c6e00), unless the release is one that printed garbage
 *   banner     `Linux version …` in memory, the whole line; it holds the compiler, the builder and the time of the build
 *
 * A kernel that lists functions only (no CONFIG_KALLSYMS_ALL) does not say where these lie: its image is searched.
 */
import { add, distance, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, UsageError } from "../bytes/errors.ts";
import { buildIdOf, NT_GNU_BUILD_ID } from "../debug-info/build-id.ts";
import { hex } from "../debug-info/debug-links.ts";
import type { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { VmlinuxFile } from "./debug-info.ts";
import type { Kernel } from "./kernel.ts";
import { imageChunks } from "./kernel-image.ts";

/** Notes of a kernel are some hundred bytes. */
const MAX_NOTES = 1 << 16;
const MAX_BANNER = 1024;

/** What tells which kernel this is. */
export interface KernelIdentity {
  /** In hex; undefined when neither memory nor VMCOREINFO has one that can be trusted. */
  readonly buildId: string | undefined;
  /** Where it is undefined: those of all notes in the image. One is the kernel's, others are of the vDSOs that it carries. */
  readonly among: readonly string[];
  readonly banner: string | undefined;
  readonly release: string | undefined;
}

/**
 * VMCOREINFO's build-id, where it can be trusted. The list is of kernels whose build-id parser read past the note it looked for: a change
 * of 6.12-rc that went into stable kernels with it and was put right some releases later.
 */
export function claimedIdentity(info: VmcoreInfo | undefined): KernelIdentity {
  const release = info?.osrelease?.trim();
  return { buildId: printsGarbage(release) ? undefined : info?.buildId, among: [], banner: undefined, release };
}

/** What the dump itself says. Nothing is thrown for what cannot be read. */
export function kernelIdentity(kernel: Kernel): KernelIdentity {
  const claimed = claimedIdentity(kernel.vmcoreinfo);
  const buildId = buildIdInMemory(kernel) ?? claimed.buildId;
  // A search of the image takes a fifth of a second: only when there is nothing else, or the banner itself is wanted.
  let searched: ReturnType<typeof searchImage> | undefined;
  const search = () => {
    searched ??= searchImage(kernel);
    return searched;
  };
  let banner: string | undefined | null = null;
  return {
    buildId,
    among: buildId === undefined ? search().buildIds : [],
    get banner() {
      if (banner === null) {
        const listed = kernel.tryAddress("linux_banner");
        banner = (listed === undefined ? undefined : bannerAt(kernel, listed)) ?? search().banner;
      }
      return banner;
    },
    get release() {
      return claimed.release ?? /^Linux version (\S+)/.exec(this.banner ?? "")?.[1];
    },
  };
}

/** "unknown" when neither build-ids nor banners can be compared. */
export function fitOf(identity: KernelIdentity, vmlinux: Pick<VmlinuxFile, "buildId" | "banner">): "fits" | "differs" | "unknown" {
  if (identity.buildId !== undefined && vmlinux.buildId !== undefined) return identity.buildId === vmlinux.buildId ? "fits" : "differs";
  if (vmlinux.buildId !== undefined && identity.among.includes(vmlinux.buildId)) return "fits";
  if (identity.banner !== undefined && vmlinux.banner !== undefined) return identity.banner === vmlinux.banner ? "fits" : "differs";
  const release = /^Linux version (\S+)/.exec(vmlinux.banner ?? "")?.[1];
  if (identity.release !== undefined && release !== undefined && identity.release !== release) return "differs";
  return "unknown";
}

/** The error for a vmlinux of another build: both build-ids and both banners. */
export function mismatch(vmlinux: VmlinuxFile, identity: KernelIdentity): UsageError {
  const file = vmlinux.banner ?? "(not in it)";
  const dump = identity.banner ?? (identity.release === undefined ? "(not readable)" : `Linux version ${identity.release}`);
  return new UsageError(
    `${vmlinux.path} does not belong to this dump: build-id ${vmlinux.buildId ?? "(none)"} against ${identity.buildId ?? (identity.among.join(" or ") || "(unknown)")}; ` +
      `the file is "${file}", the dump is "${dump}". Leave it out to go on without it, or use it all the same with --force-vmlinux.`,
  );
}

/** The build-id among the notes that were linked into the kernel. */
function buildIdInMemory(kernel: Kernel): string | undefined {
  const start = kernel.symbols.byName("__start_notes");
  const stop = kernel.symbols.byName("__stop_notes");
  if (start === undefined || stop === undefined || start.module !== undefined) return undefined;
  const size = distance(stop.address, start.address);
  const bytes = size > 0 && size <= MAX_NOTES ? kernel.memory.tryBytes(start.address, size) : undefined;
  return bytes === undefined ? undefined : buildIdOf(bytes);
}

function bannerAt(kernel: Kernel, address: VirtualAddress): string | undefined {
  try {
    return /^Linux version \d[\x20-\x7e]*/.exec(kernel.memory.cString(address, MAX_BANNER))?.[0];
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/**
 * A kernel of 6.1 and newer also carries the banner of its first link, which has no number of the build yet (`# SMP` for `#1 SMP`): a weak
 * definition that gave way and left its text behind (init/version.c, 2df8220cc511).
 */
export function isWholeBanner(banner: string): boolean {
  return / #\d/.test(banner);
}

/** The first four bytes of the banner, and of the owner of a build-id note, as words; both are aligned. */
const LINU = 0x756e694c;
const GNU = 0x00554e47;
const MAX_IDS = 16;

/** Banner and build-ids in the kernel image. Beside the banner itself its copy in the log may be met, which is the same. */
function searchImage(kernel: Kernel): { readonly banner: string | undefined; readonly buildIds: readonly string[] } {
  const buildIds = new Set<string>();
  let banner: string | undefined;
  const start = kernel.tryAddress("_text") ?? kernel.tryAddress("_stext");
  if (start === undefined) return { banner, buildIds: [] };
  for (const { address, bytes } of imageChunks(kernel.arch.kernelTables, kernel.physical, start)) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    for (let at = words.indexOf(LINU); at >= 0 && banner === undefined; at = words.indexOf(LINU, at + 1)) {
      const found = bannerAt(kernel, add(address, 4 * at));
      if (found !== undefined && isWholeBanner(found)) banner = found;
    }
    for (let at = words.indexOf(GNU); at >= 0 && buildIds.size < MAX_IDS; at = words.indexOf(GNU, at + 1)) {
      const size = words[at - 2] ?? 0;
      if (words[at - 3] !== 4 || words[at - 1] !== NT_GNU_BUILD_ID || size < 8 || size > 64) continue;
      const id = kernel.memory.tryBytes(add(address, 4 * at + 4), size);
      if (id !== undefined) buildIds.add(hex(id));
    }
  }
  return { banner, buildIds: [...buildIds] };
}

/** Releases that wrote a wrong BUILD-ID. Only the version can tell: the id looks like any other. */
function printsGarbage(release: string | undefined): boolean {
  const [, major, minor, patch, candidate] = /^(\d+)\.(\d+)(?:\.(\d+))?([-~]rc\d+)?/.exec(release ?? "") ?? [];
  const level = Number(patch ?? 0);
  const [low, high] = GARBAGE.get(`${major}.${minor}`) ?? [1, 0];
  return (level >= low && level <= high) || (`${major}.${minor}` === "6.12" && level === 0 && candidate !== undefined);
}

const GARBAGE: ReadonlyMap<string, readonly [first: number, last: number]> = new Map([
  ["6.11", [3, 9]],
  ["6.10", [14, 14]],
  ["6.6", [55, 62]],
  ["6.1", [113, 118]],
  ["5.15", [168, Number.POSITIVE_INFINITY]],
]);
