/**
 * Evaluates DWARF expressions (DWARF 2 to 5, and GCC's extensions) over an injected context. Two questions:
 *
 *   evaluateLocation   where is this variable?              DW_AT_location
 *   evaluateScalar     what number does this come to?       CFA and register rules, DW_AT_frame_base, DW_AT_call_value
 */
import { InquestError, UnsupportedError } from "../../bytes/errors.ts";
import type { ExpressionContext } from "./expression-context.ts";
import type { Location } from "./expression-location.ts";
import { ExpressionMachine } from "./expression-machine.ts";

/** Where an expression leads. What cannot be evaluated is "unknown" with its reason; nothing is thrown for it. */
export function evaluateLocation(expression: Uint8Array, context: ExpressionContext): Location {
  try {
    const machine = new ExpressionMachine(context, []);
    machine.run(expression);
    return machine.location();
  } catch (error) {
    if (error instanceof InquestError) return { kind: "unknown", reason: error.message };
    throw error;
  }
}

/**
 * The number an expression comes to, an unsigned word of 64 bits (signed types are extended): the top of its stack, or the content of the
 * register it names.
 * @param initial words on the stack at the start; the CFA for rules of call-frame information
 * Throws FormatError, UnsupportedError (with what was needed) or FaultError.
 */
export function evaluateScalar(expression: Uint8Array, context: ExpressionContext, initial: readonly bigint[] = []): bigint {
  const machine = new ExpressionMachine(context, initial);
  machine.run(expression);
  const location = machine.location();
  switch (location.kind) {
    case "memory":
    case "value": {
      const { bits, type } = location.kind === "value" ? location : machine.top();
      if (type?.encoding === "float") throw new UnsupportedError("it is a floating-point number");
      return BigInt.asUintN(64, type?.encoding === "signed" ? BigInt.asIntN(type.size * 8, bits) : bits);
    }
    case "register": {
      const value = context.register(location.register);
      if (value !== undefined) return value;
      throw new UnsupportedError(`needs ${context.registerName(location.register)}, which this frame does not have`);
    }
    case "bytes": {
      if (location.bytes.length > 8) throw new UnsupportedError("it is no number");
      return location.bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    }
    case "implicit pointer":
      throw new UnsupportedError("it points to a variable that was optimized out");
    case "none":
      throw new UnsupportedError("it is empty");
    default:
      throw new UnsupportedError("it is no number");
  }
}
