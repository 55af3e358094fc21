/** `slab objects`: every object of a cache with its state, also those in slabs that are full and on no list. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { LookupError } from "../../bytes/errors.ts";
import { namedSlabCaches } from "../../linux/slab-aliases.ts";
import { slabsOfCache } from "../../linux/slab-owners.ts";
import { slabStates } from "../../linux/slab-state.ts";
import type { Session } from "../command.ts";

/** An object of a slab cache. */
export interface ListedObject {
  readonly address: VirtualAddress;
  readonly state: "allocated" | "free" | "unknown";
  readonly where?: string;
  readonly reason?: string;
}

export interface ObjectList {
  readonly kind: "objects";
  readonly cache: string;
  /** Found as they are pulled. */
  readonly objects: Iterable<ListedObject>;
}

/** @param only the state that is wanted; undefined for all */
export function listObjects(session: Session, name: string, only: "allocated" | "free" | undefined): ObjectList {
  const [cache] = namedSlabCaches(session.kernel, name);
  if (cache === undefined) throw new LookupError(`slab: no slab cache named "${name}"`);
  return { kind: "objects", cache: cache.name, objects: objectsOf(session, name, only) };
}

function* objectsOf(session: Session, name: string, only: "allocated" | "free" | undefined): Generator<ListedObject> {
  const { kernel } = session;
  for (const cache of namedSlabCaches(kernel, name)) {
    for (const slab of slabsOfCache(kernel, cache, (done, total) => session.progress?.("looking for slabs", done, total))) {
      const states = slabStates(kernel, slab);
      if (states === undefined) continue;
      const first = slab.start + BigInt(cache.redLeftPad);
      for (let index = 0; index < slab.objects; index++) {
        const state = states.state(index);
        if (only !== undefined && state.state !== only) continue;
        yield { address: BigInt.asUintN(64, first + BigInt(index * cache.stride)) as VirtualAddress, ...state };
      }
    }
  }
}

/** One object a line. */
export function* objectsText({ objects }: ObjectList): Generator<string> {
  for (const { address, state, where, reason } of objects) {
    const detail = where === undefined ? (reason === undefined ? "" : `  (${reason})`) : `  (${where})`;
    yield `${hex16(address)}  ${state}${detail}`;
  }
}
