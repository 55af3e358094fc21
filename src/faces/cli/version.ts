/** The program's version; the bundler puts package.json's in place, a run from compiled sources says so. */
declare const INQUEST_VERSION: string | undefined;

export const version: string = typeof INQUEST_VERSION === "string" ? INQUEST_VERSION : "development";
