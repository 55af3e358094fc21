/** The detectors of faults, the most telling first. */
import { type Detector, ofFault } from "../detector.ts";
import { bitFlip } from "./detectors/bit-flip.ts";
import { nullCall, wildCall } from "./detectors/calls.ts";
import { errorPointer } from "./detectors/error-pointer.ts";
import { listCorruption } from "./detectors/list-corruption.ts";
import { nullPointer } from "./detectors/null-pointer.ts";
import { outOfBounds } from "./detectors/out-of-bounds.ts";
import { overwrittenPointer } from "./detectors/overwritten-pointer.ts";
import { stackCorruption } from "./detectors/stack-corruption.ts";
import { stackOverflow } from "./detectors/stack-overflow.ts";
import { typeConfusion } from "./detectors/type-confusion.ts";
import { useAfterFree } from "./detectors/use-after-free.ts";
import { wildPointer } from "./detectors/wild-pointer.ts";

export const FAULT_DETECTORS: readonly Detector[] = [
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
].map(ofFault);
