/** A kernel as files, however it is come by. */
import { ensureBuiltKernel, isBuilt } from "./built-kernels.ts";
import { ensurePackagedKernel, type Kernel, type KernelChoice } from "./kernels.ts";

/** The kernel, downloaded or built when the cache does not have it. */
export function ensureKernel(choice: KernelChoice): Promise<Kernel> {
  return isBuilt(choice) ? ensureBuiltKernel(choice) : ensurePackagedKernel(choice);
}
