/** `ptype`: gdb's definition of a type, or of an expression's type; with /o the layout, holes included. */
import { UsageError } from "../bytes/errors.ts";
import { declare, printDefinition } from "../debug-info/c-format-type.ts";
import { type CType, type EnumType, type StructType, sizeOf } from "../debug-info/c-type.ts";
import { ptypeApi } from "./api/values.ts";
import { type Command, defineCommand, type Session } from "./command.ts";
import { layoutLines } from "./support/type-layout.ts";
import { typeOfText } from "./support/type-operand.ts";
import { splitFormat } from "./support/value-format.ts";

export interface PtypeResult {
  /** C's spelling of the type, its typedefs resolved. */
  readonly type: string;
  readonly size: number;
  readonly text: readonly string[];
}

export const ptype: Command<PtypeResult> = defineCommand<PtypeResult>({
  spec: {
    name: "ptype",
    summary: "definition of a type or of an expression's type, as gdb shows it",
    synopsis: ["[/o[x]] type | expression"],
    description: [
      "Shows the type with typedefs resolved and structures written out. With /o each member has its offset and size in bytes, and holes and padding are named; /ox has them in hexadecimal.",
    ],
    options: [],
    operands: ["type", "symbol"],
    examples: [
      ["ptype struct list_head", "a structure"],
      ["ptype init_task.sched_class->enqueue_task", "the type of an expression"],
      ["ptype/o struct page", "its layout"],
    ],
    rawLine: true,
    formats: true,
  },
  run(session, { line }) {
    const { format = "", rest } = splitFormat(line);
    const unknown = /[^oxdmtr]/.exec(format)?.[0];
    if (unknown !== undefined)
      throw new UsageError(`"/${format}": "${unknown}" is no flag of ptype; /o shows the layout, /ox in hexadecimal`);
    if (rest === "") throw new UsageError("usage: ptype [/o[x]] type | expression");
    return describe(session, rest, format);
  },
  api(session, args) {
    const { format, rest } = splitFormat(args.line);
    return format === undefined ? ptypeApi(rest, ptype.run(session, args).type) : undefined;
  },
  text: ({ text }) => text,
});

const MAX_DEPTH = 64;

function describe(session: Session, text: string, format: string): PtypeResult {
  const type = resolved(typeOfText(session, text), 0);
  const base = baseOf(type);
  const head = { type: declare(type), size: sizeOf(type) };
  if (base === undefined) return { ...head, text: [`type = ${declare(type)}`] };
  if (format.includes("o") && base === type && base.kind !== "enum")
    return { ...head, text: layoutLines(base, format.includes("x") ? 16 : 10) };
  // The body of the structure stands where its name does.
  const spelling = `${base.kind} ${base.name ?? "{...}"}`;
  const [before = "", ...after] = declare(type).split(spelling);
  return { ...head, text: `type = ${before}${bodyOf(base)}${after.join(spelling)}`.split("\n") };
}

function bodyOf(type: StructType | EnumType): string {
  return printDefinition(type).join("\n");
}

/** The type without its typedefs, down to what it points to, holds or returns; parameters stay as they are written. */
function resolved(type: CType, depth: number): CType {
  if (depth > MAX_DEPTH) return type;
  switch (type.kind) {
    case "typedef":
      return resolved(type.target, depth + 1);
    case "const":
    case "volatile":
    case "restrict":
    case "tag":
      return { kind: type.kind, target: resolved(type.target, depth + 1) };
    case "pointer":
      return { kind: "pointer", size: type.size, target: resolved(type.target, depth + 1) };
    case "array":
      return { kind: "array", element: resolved(type.element, depth + 1), length: type.length };
    case "function": {
      const { parameters, variadic } = type;
      return { kind: "function", returns: resolved(type.returns, depth + 1), parameters, variadic };
    }
    default:
      return type;
  }
}

/** The structure or enum that a declarator ends at. */
function baseOf(type: CType): StructType | EnumType | undefined {
  let here = type;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    switch (here.kind) {
      case "struct":
      case "union":
      case "enum":
        return here;
      case "const":
      case "volatile":
      case "restrict":
      case "tag":
      case "pointer":
        here = here.target;
        break;
      case "array":
        here = here.element;
        break;
      case "function":
        here = here.returns;
        break;
      default:
        return undefined;
    }
  }
  return undefined;
}
