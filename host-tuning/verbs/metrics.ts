import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { readMetrics, refreshTextfile, writeTextfile } from "../metrics/textfile.ts";
import { openHost } from "../sys/live-host.ts";

export interface MetricsOptions {
  readonly root: string;
  readonly out?: string;
  readonly textfile?: boolean;
}

/** Prints the metrics of this host, or puts them where node_exporter collects them. */
export async function metrics(options: MetricsOptions): Promise<ExitCode> {
  const host = openHost(options.root);
  if (options.textfile === true) await refreshTextfile(host);
  else if (options.out === undefined) process.stdout.write(await readMetrics(host));
  else writeTextfile(options.out, await readMetrics(host));
  return EXIT_CODE.asWanted;
}
