import { echo } from "./echo.ts";
import { effectiveLimits } from "./effective-limits.ts";
import { hostFactsSummary } from "./host-facts-summary.ts";
import { hostReport } from "./host-report.ts";
import type { AnyTool } from "./tool.ts";

/** Every tool of the service, in the order in which clients see them. */
export const TOOLS: readonly AnyTool[] = [hostReport, hostFactsSummary, effectiveLimits, echo];
