import type { Host, ToolResult } from "../../host-tuning/sys/host.ts";

/** A host whose tools are answered by `answer`, and that remembers what was asked. Its files are not there. */
export interface ToolHost extends Host {
  readonly calls: readonly (readonly string[])[];
}

/** Stands in for a machine with hardware that the test's machine lacks. It answers; it does not behave. */
export function toolHost(
  answer: (tool: string, args: readonly string[]) => Promise<ToolResult | undefined> | ToolResult | undefined,
): ToolHost {
  const calls: string[][] = [];
  const refuse = (): Promise<never> => Promise.reject(new Error("this host has tools only"));
  return {
    root: "/",
    isLive: true,
    calls,
    readText: refuse,
    list: refuse,
    exists: refuse,
    realPath: refuse,
    readLink: refuse,
    writeKernelFile: refuse,
    writeConfigFile: refuse,
    runTool: async (tool, args) => {
      calls.push([tool, ...args]);
      return await answer(tool, args);
    },
  };
}
