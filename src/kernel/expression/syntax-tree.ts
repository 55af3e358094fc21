/** The syntax tree of a C expression, as parser.ts makes it and evaluate.ts walks it. */

export type Expression = { readonly at: number } & (
  | { readonly kind: "number"; readonly value: bigint; readonly decimal: boolean; readonly unsigned: boolean; readonly long: boolean }
  | { readonly kind: "float"; readonly value: number; readonly single: boolean }
  | { readonly kind: "character"; readonly value: bigint }
  | { readonly kind: "string"; readonly content: string }
  | { readonly kind: "name"; readonly name: string }
  /** A static variable of a source file (its path's tail) or of a function. */
  | { readonly kind: "static"; readonly within: { readonly file: string } | { readonly function: string }; readonly name: string }
  | { readonly kind: "history"; readonly text: string }
  | { readonly kind: "assign"; readonly name: string; readonly value: Expression }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "conditional"; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: "member"; readonly base: Expression; readonly name: string }
  | { readonly kind: "index"; readonly base: Expression; readonly index: Expression }
  | { readonly kind: "slice"; readonly base: Expression; readonly first: Expression; readonly last: Expression }
  | { readonly kind: "cast"; readonly type: TypeName; readonly operand: Expression }
  | { readonly kind: "sizeofType"; readonly type: TypeName }
  | { readonly kind: "sizeof"; readonly operand: Expression }
  | { readonly kind: "offsetof"; readonly type: TypeName; readonly path: readonly PathStep[] }
  | { readonly kind: "containerOf"; readonly pointer: Expression; readonly type: TypeName; readonly path: readonly PathStep[] }
  | { readonly kind: "perCpu"; readonly accessor: PerCpuAccessor; readonly variable: Expression; readonly cpu: Expression }
);

export type UnaryOperator = "-" | "+" | "!" | "~" | "*" | "&";
/** per_cpu(variable, cpu) is the variable, per_cpu_ptr(pointer, cpu) a pointer. */
export type PerCpuAccessor = "per_cpu" | "per_cpu_ptr";

/** A type by its spelling, or the type of an expression with what follows it: `typeof(init_task) *`. */
export interface TypeName {
  readonly text: string;
  readonly of?: Expression;
  readonly at: number;
}

/** A step of `a.b[2]` in offsetof. */
export type PathStep = { readonly at: number } & ({ readonly member: string } | { readonly index: Expression });
