// The layer law of the house, over the compiled output (dist/src): dependency-cruiser reads .ts only through TypeScript's JavaScript
// API, which TypeScript 7 does not have. Type-only imports are gone from the output; scripts/check-layers.mjs looks at those itself.
import { FLOORS } from "./scripts/floors.mjs";

/** Tests and the builders they share may reach anywhere. */
const TESTS = "(\\.test\\.js$|/testing/)";

const floors = Object.entries(FLOORS).map(([floor, { below }]) => ({
  name: `${floor}-imports-below`,
  comment: `${floor}/ may import ${below.length === 0 ? "nothing but itself" : below.join(", ")}`,
  severity: "error",
  from: { path: `^dist/src/${floor}/`, pathNot: TESTS },
  to: { path: "^dist/src/", pathNot: `^dist/src/(${[floor, ...below].join("|")})/` },
}));

export default {
  forbidden: [
    ...floors,
    {
      name: "node-only-at-the-edges",
      comment: "the engine also runs in a browser: only bytes/ and faces/ may import from Node",
      severity: "error",
      from: { path: "^dist/src/", pathNot: `^dist/src/(bytes|faces)/|${TESTS}` },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "packages-only-at-the-edges",
      comment: "only bytes/ (codecs) and faces/ may import packages",
      severity: "error",
      from: { path: "^dist/src/", pathNot: `^dist/src/(bytes|faces)/|${TESTS}` },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "no-test-code-in-the-product",
      severity: "error",
      from: { path: "^dist/src/", pathNot: TESTS },
      to: { path: TESTS },
    },
    {
      name: "no-circles",
      comment: "modules that need each other are one module, or need a third",
      severity: "error",
      from: { path: "^dist/src/" },
      to: { circular: true },
    },
    { name: "resolvable", severity: "error", from: { path: "^dist/src/" }, to: { couldNotResolve: true } },
  ],
  options: { doNotFollow: { path: "node_modules" }, moduleSystems: ["es6"] },
};
