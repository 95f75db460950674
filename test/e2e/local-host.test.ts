import { describeLocalHost } from "./local-host-journey.ts";

describeLocalHost("bookworm");
