/**
 * One load of a slice: the memory that gave the value, as it is now against what the register held, and the structure that it belongs to.
 *
 *   mov 0x8(%rbp),%rbx      (struct lab_request *)rbp->segment [+0x8] at ff3589d60298c2c8, which holds 0 now too
 *
 * The structure is the code's; where that has none, that of what the pointer was counted from (anchor.ts), or of the slab cache that the
 * base lies in.
 */
import type { CType } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import type { Origin } from "../../type-flow/origin.ts";
import { registerParameters } from "../../type-flow/parameters.ts";
import type { Activation, Activations } from "./activation.ts";
import { anchorOf, isMoved } from "./anchor.ts";
import { countedStep, type Ground } from "./counted-step.ts";
import type { KnownValue, KnownValues } from "./known-values.ts";
import { objectType } from "./object-type.ts";
import { type Comparison, type LoadStep, pointedTo } from "./origin-step.ts";

/** Bytes that a loop may have moved a pointer on within one object. */
const MAX_MOVED = 1n << 16n;

/** Where a load belongs: to what its pointer was counted from. */
interface Anchored {
  readonly base: KnownValue;
  readonly leaf: Origin;
  readonly offset: bigint;
  readonly from?: bigint;
  readonly typed?: Typed;
}

interface Typed {
  readonly container: string;
  readonly member: string;
  readonly offset: bigint;
  readonly type: CType | undefined;
}

/** The step of a load that gave a value. */
export function loadStep(
  ground: Ground,
  level: number,
  activation: Activation,
  origin: Extract<Origin, { readonly kind: "load" }>,
  value: bigint,
): { readonly load: LoadStep; readonly type: CType | undefined } {
  const { kernel, activations, values } = ground;
  const place = values.place(level, origin);
  // The index alone is lost: what it was added to is still known.
  const table = place === undefined ? values.table(level, origin) : undefined;
  const size = place?.size ?? 8;
  const now = place === undefined ? undefined : values.read(place.address, size);
  const comparison: Comparison =
    place === undefined
      ? "address unknown"
      : now === undefined
        ? "unreadable"
        : now === BigInt.asUintN(size * 8, value)
          ? "same"
          : "changed";
  const anchor =
    origin.container === undefined && place !== undefined ? anchored(values, level, origin.from, place.address, size) : undefined;
  const base = anchor?.base ?? place?.base ?? table;
  const sum = origin.from?.kind === "sum" && origin.from.added === undefined ? origin.from : undefined;
  const counted =
    sum === undefined || place?.base === undefined ? undefined : countedStep(ground, level, activation, sum.pc, place.base.value);
  const typed = anchor?.typed ?? (origin.container === undefined ? byCache(kernel, base?.value, place?.address, size) : undefined);
  const container = origin.container ?? typed?.container;
  const member = origin.member ?? typed?.member;
  const isDeclared = container !== undefined && declares(activations.machine, activation, anchor?.leaf ?? origin.from, container);
  const load: LoadStep = {
    ...(container === undefined ? {} : { container }),
    ...(isDeclared ? { declared: true as const } : {}),
    ...(typed === undefined || anchor?.typed !== undefined ? {} : { containerBy: "slab cache" as const }),
    ...(member === undefined ? {} : { member }),
    offset: typed?.offset ?? anchor?.offset ?? origin.offset,
    ...(anchor?.from === undefined ? {} : { from: anchor.from }),
    ...(origin.container === undefined && anchor === undefined && isMoved(origin.from) ? { moved: true as const } : {}),
    ...(base === undefined ? {} : { base: base.value }),
    ...(base?.held === undefined ? {} : { held: base.held }),
    ...(place?.index === undefined ? {} : { index: place.index }),
    ...(counted === undefined ? {} : { counted }),
    ...(origin.variable === undefined ? {} : { variable: origin.variable }),
    ...(place === undefined ? {} : { address: place.address }),
    size,
    ...(now === undefined ? {} : { now }),
    comparison,
    ...(base?.reread === true ? { reread: true as const } : {}),
  };
  return { load, type: typed?.type };
}

function declares(machine: Activations["machine"], { flow }: Activation, origin: Origin | undefined, container: string): boolean {
  if (origin?.kind !== "parameter" || flow?.type === undefined) return false;
  const own = registerParameters(flow.type, machine).find(({ register }) => register === origin.register);
  return pointedTo(own?.type)?.name === container;
}

/** The load went through a pointer that was moved: what it was counted from is the base, as long as the place may belong to that. */
function anchored(values: KnownValues, level: number, pointer: Origin | undefined, address: bigint, size: number): Anchored | undefined {
  const anchor = anchorOf(values, level, pointer);
  if (anchor === undefined || address < anchor.value || address - anchor.value > MAX_MOVED) return undefined;
  const offset = address - anchor.value;
  const base = {
    value: anchor.value,
    ...(anchor.held === undefined ? {} : { held: anchor.held }),
    ...(anchor.reread === undefined ? {} : { reread: true as const }),
  };
  const from = anchor.first === undefined ? {} : { from: anchor.first };
  const { type } = anchor;
  const { leaf } = anchor;
  if (type === undefined) return { base, leaf, offset, ...from };
  const [member] = membersAt({ kind: "pointer", target: type.target, offset: Number(offset), stride: 0 }, size);
  if (member === undefined) return undefined;
  const typed = { container: type.name, member: pathsOf([member]), offset, type: member.leftover === 0 ? member.type : undefined };
  return { base, leaf, offset, ...from, typed };
}

function byCache(kernel: Kernel, base: bigint | undefined, address: bigint | undefined, size: number): Typed | undefined {
  if (base === undefined || address === undefined) return undefined;
  const object = objectType(kernel, base);
  if (object === undefined) return undefined;
  const offset = address - object.address;
  const [member] = membersAt({ kind: "pointer", target: object.type, offset: Number(offset), stride: 0 }, size);
  if (member === undefined) return undefined;
  return { container: object.name, member: pathsOf([member]), offset, type: member.leftover === 0 ? member.type : undefined };
}
