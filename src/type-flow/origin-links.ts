/** The chain of a value's origin as a list for people and programs, the last link first. */
import { type Origin, originText } from "./origin.ts";

export interface OriginLink {
  readonly kind: Origin["kind"];
  /** Instruction that gave the value; absent for what the function was entered with. */
  readonly pc?: bigint;
  /** "file->private_data", "parameter file", "result of kmalloc_trace". */
  readonly text: string;
}

/** Links of a chain, and of what meets in it. */
const MAX_LINKS = 32;

export function originLinks(origin: Origin): readonly OriginLink[] {
  const links: OriginLink[] = [];
  const open: Origin[] = [origin];
  for (let each = open.shift(); each !== undefined && links.length < MAX_LINKS; each = open.shift()) {
    const pc = "pc" in each ? each.pc : undefined;
    links.push({ kind: each.kind, ...(pc === undefined ? {} : { pc }), text: linkText(each) });
    if (each.kind === "merge") open.unshift(...each.of);
    else if ((each.kind === "load" || each.kind === "sum") && each.from !== undefined) open.unshift(each.from);
  }
  return links;
}

function linkText(origin: Origin): string {
  switch (origin.kind) {
    case "parameter":
      return `parameter ${origin.name}`;
    case "entry":
      return `${origin.register} on entry`;
    case "load":
      return originText(origin) ?? `load at offset 0x${BigInt.asUintN(64, origin.offset).toString(16)}`;
    case "result":
      return origin.callee === undefined ? "result of an indirect call" : `result of ${origin.callee}`;
    case "clobbered":
      return `${origin.register} as a call left it`;
    case "merge":
      return `one of ${origin.of.length} values`;
    case "sum":
      return originText(origin) ?? "sum";
    case "unknown":
      return "not known";
    default:
      return originText(origin) ?? origin.kind;
  }
}
