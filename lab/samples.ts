/** Remakes the committed sample dumps: see samples/README.md. */
export async function makeSamples(): Promise<string[]> {
  return [];
}
