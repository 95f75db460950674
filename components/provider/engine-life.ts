/** How often to look whether the engine lives. Our choice: a person who starts over meets no older run. */
const LOOK_EVERY_MILLIS = 500;

/**
 * Ends this process when the engine that started it is gone. An engine that was killed tells its providers nothing; they
 * would go on making machines that no state knows of, and the SDK's error handler would report each failed report.
 */
export function endWithEngine(end: () => void): NodeJS.Timeout {
  const engine = process.ppid;
  // Its ends of our pipes are closed with it: the next line of progress fails.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", end);
  return setInterval(() => {
    if (process.ppid !== engine) end();
  }, LOOK_EVERY_MILLIS).unref();
}
