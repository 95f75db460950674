import * as z from "zod";
import { defineTool } from "./tool.ts";

export const echo = defineTool({
  name: "echo",
  title: "Echo",
  description: "Gives back the text that it was given. For connection checks and load tests.",
  inputSchema: z.object({ text: z.string().max(65_536) }),
  outputSchema: z.object({ text: z.string() }),
  run: async ({ text }) => ({ text }),
});
