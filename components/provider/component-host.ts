import { createRequire } from "node:module";
import { main } from "@pulumi/pulumi/provider/server.js";
import { ENVIRONMENT_TYPE } from "../environment/environment-spec.ts";
import { constructEnvironment } from "./construct-environment.ts";
import { endWithEngine } from "./engine-life.ts";

/** The process in which components are constructed for programs in other languages: see ComponentProcess. */

const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string };

endWithEngine(() => process.exit(1));

await main(
  {
    version,
    construct: (name, type, inputs, options) => {
      if (type === ENVIRONMENT_TYPE) return constructEnvironment(name, inputs, options);
      throw new Error(`Cannot construct ${type}: this package's one component is ${ENVIRONMENT_TYPE}`);
    },
  },
  process.argv.slice(2),
);
