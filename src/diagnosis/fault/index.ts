/** The detectors of faults, the most telling first. */
import { type Detector, ofFault } from "../detector.ts";
import { bitFlip } from "./detectors/bit-flip.ts";
import { nullCall, wildCall } from "./detectors/calls.ts";
import { errorPointer } from "./detectors/error-pointer.ts";
import { invalidOpcode } from "./detectors/invalid-opcode.ts";
import { listCorruption } from "./detectors/list-corruption.ts";
import { loggedFault } from "./detectors/logged-fault.ts";
import { nullPointer } from "./detectors/null-pointer.ts";
import { outOfBounds } from "./detectors/out-of-bounds.ts";
import { overwrittenPointer } from "./detectors/overwritten-pointer.ts";
import { stackCorruption } from "./detectors/stack-corruption.ts";
import { stackOverflow } from "./detectors/stack-overflow.ts";
import { typeConfusion } from "./detectors/type-confusion.ts";
import { useAfterFree } from "./detectors/use-after-free.ts";
import { wildPointer } from "./detectors/wild-pointer.ts";
import type { FaultDetector } from "./fault-detector.ts";

const OF_OPERANDS: readonly FaultDetector[] = [
  stackOverflow,
  stackCorruption,
  bitFlip,
  typeConfusion,
  outOfBounds,
  overwrittenPointer,
  useAfterFree,
  listCorruption,
  nullCall,
  errorPointer,
  nullPointer,
  wildCall,
  wildPointer,
  invalidOpcode,
];

export const FAULT_DETECTORS: readonly Detector[] = [...OF_OPERANDS.map(ofFault), loggedFault];
