import { describeLocalHost } from "./local-host-journey.ts";

/** Kernel 6.12 and systemd 257, where Debian 12 has 6.1 and 252. */
describeLocalHost("trixie");
