/** What an address is, asked where the answer may be lost: detectors look at whatever a damaged pointer leads to. */
import { InquestError } from "../../bytes/errors.ts";
import { identifyAddress } from "../../identity/identify.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AddressIdentity } from "../../linux/address-identity.ts";

/** An identity that may fail on memory that is damaged. */
export function tryIdentify(kernel: Kernel, address: bigint): AddressIdentity | undefined {
  try {
    return identifyAddress(kernel, address);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
