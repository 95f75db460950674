import type { ToolResult } from "../../../host-tuning/sys/host.ts";
import { type LiveHost, openHost } from "../../../host-tuning/sys/live-host.ts";

type Answer = (tool: string, args: readonly string[]) => ToolResult | undefined;

export interface LiveTree {
  readonly host: LiveHost;
  /** Tools that were called, each as one line; not the looks at the host's addresses before and after. */
  readonly calls: string[];
}

/**
 * Stands in for a live machine whose tools all succeed, on the files of a tree: for what must not be done to the machine
 * that tests run on. Its files are real and are written below the root only.
 */
export function liveTree(
  root: string,
  answer: Answer = () => ({ exitCode: 0, stdout: "", stderr: "" }),
): LiveTree {
  const rooted = openHost(root);
  const calls: string[] = [];
  const host = new Proxy(rooted, {
    get(target, name) {
      if (name === "isLive") return true;
      if (name === "runTool") {
        return async (tool: string, args: readonly string[]) => {
          if (tool !== "ip" || !args.includes("address")) calls.push([tool, ...args].join(" "));
          return await Promise.resolve(answer(tool, args));
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return { host, calls };
}
