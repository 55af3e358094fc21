// The floors of src/, lowest first, and what each may import. `types` may be imported for their types only.
const bytes = [];
const dump = ["bytes"];
const tables = ["bytes", "dump"];
const kernel = ["bytes", "dump", "arch", "debug-info"];
const linux = [...kernel, "kernel"];

export const FLOORS = {
  bytes: { below: bytes, types: [] },
  dump: { below: dump, types: [] },
  arch: { below: tables, types: ["kernel", "debug-info"] },
  "debug-info": { below: tables, types: [] },
  kernel: { below: kernel, types: [] },
  stack: { below: linux, types: ["linux"] },
  linux: { below: linux, types: ["stack"] },
  "type-flow": { below: linux, types: ["stack"] },
  identity: { below: [...linux, "stack", "linux"], types: [] },
  diagnosis: { below: [...linux, "stack", "linux", "type-flow", "identity"], types: [] },
  commands: { below: [...linux, "stack", "linux", "type-flow", "identity", "diagnosis"], types: [] },
  library: { below: [...linux, "stack", "linux", "type-flow", "identity", "diagnosis", "commands"], types: [] },
  faces: { below: [...linux, "stack", "linux", "type-flow", "identity", "diagnosis", "commands", "library"], types: [] },
};
