/** Expressions that are nothing but a register: locations of arguments, operands of entry values. */
import { OP } from "./expression-opcodes.ts";
import { ExpressionReader } from "./expression-reader.ts";

/** The register an expression names and nothing else (DW_OP_reg5, DW_OP_regx); undefined for any other. */
export function registerOf(expression: Uint8Array): number | undefined {
  const [first = 0] = expression;
  if (first >= OP.reg0 && first < OP.reg0 + 32) return expression.length === 1 ? first - OP.reg0 : undefined;
  if (first !== OP.regx) return undefined;
  const reader = new ExpressionReader(expression.subarray(1));
  const register = reader.count();
  return reader.atEnd ? register : undefined;
}
