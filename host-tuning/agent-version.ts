import packageFile from "../package.json" with { type: "json" };

/** Version of this agent, as its package and its archive have it. */
export const agentVersion: string = packageFile.version;
