import { spawn } from "node:child_process";
import * as z from "zod";

const messageSchema = z.object({
  id: z.int().optional(),
  result: z
    .object({
      sessionId: z.string().optional(),
      targetId: z.string().optional(),
      result: z.object({ value: z.unknown() }).optional(),
    })
    .optional(),
  error: z.object({ message: z.string() }).optional(),
});

type Result = NonNullable<z.output<typeof messageSchema>["result"]>;

const KEYS = {
  Tab: { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 },
  Enter: { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" },
} as const;

/** A page in Chromium, with keys pressed as a person presses them. */
export interface BrowserTab {
  press(key: keyof typeof KEYS): Promise<void>;
  /** The value of a JavaScript expression in the page. */
  evaluate(expression: string): Promise<unknown>;
  /** Lays the page out as in a window of this width. */
  layOut(widthPx: number): Promise<void>;
  /** Lays the page out as on paper of this width, between the margins, by a person whose screen is dark or light. */
  layOutForPrint(widthPx: number, preference?: { readonly isDark: boolean }): Promise<void>;
}

const LIMIT_MILLIS = 60_000;

/** The protocol of Chromium's developer tools: https://chromedevtools.github.io/devtools-protocol/ */
class DevTools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<
    number,
    { resolve: (result: Result) => void; reject: (error: Error) => void }
  >();
  #last = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error } = messageSchema.parse(JSON.parse(String(data)));
      const waiting = this.#waiting.get(id ?? -1);
      if (error !== undefined) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result ?? {});
    });
  }

  static async connect(address: string): Promise<DevTools> {
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", () => reject(new Error(`Cannot connect to ${address}`)), {
        once: true,
      });
    });
    return new DevTools(socket);
  }

  async send(method: string, params: object, sessionId?: string): Promise<Result> {
    this.#last += 1;
    const id = this.#last;
    const answer = new Promise<Result>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      AbortSignal.timeout(LIMIT_MILLIS).addEventListener("abort", () =>
        reject(new Error(`${method}: no answer`)),
      );
    });
    this.#socket.send(
      JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }),
    );
    return await answer;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Starts Chromium for one page and ends it after `use`. */
export async function withTab(
  profileFolder: string,
  url: string,
  use: (tab: BrowserTab) => Promise<void>,
): Promise<void> {
  const browser = spawn(
    "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      `--user-data-dir=${profileFolder}`,
      "--remote-debugging-port=0",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const exited = new Promise<void>((resolve) => browser.once("exit", () => resolve()));
  try {
    const address = await new Promise<string>((resolve, reject) => {
      let said = "";
      browser.stderr.on("data", (chunk: Buffer) => {
        said += chunk.toString("utf8");
        const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
      browser.once("error", reject);
      browser.once("exit", (code) => reject(new Error(`chromium ended with ${code ?? "a signal"}: ${said}`)));
      AbortSignal.timeout(LIMIT_MILLIS).addEventListener("abort", () =>
        reject(new Error(`chromium said only: ${said}`)),
      );
    });
    const tools = await DevTools.connect(address);
    const { targetId } = await tools.send("Target.createTarget", { url });
    const { sessionId } = await tools.send("Target.attachToTarget", { targetId, flatten: true });
    const evaluate = async (expression: string): Promise<unknown> => {
      const { result } = await tools.send(
        "Runtime.evaluate",
        { expression, returnByValue: true, awaitPromise: true },
        sessionId,
      );
      return result?.value;
    };
    const end = Date.now() + LIMIT_MILLIS;
    while (
      (await evaluate(`location.href === ${JSON.stringify(url)} && document.readyState`)) !== "complete"
    ) {
      if (Date.now() > end) throw new Error(`${url} was not loaded`);
    }
    const layOut = async (width: number): Promise<void> => {
      const metrics = { width, height: 1000, deviceScaleFactor: 1, mobile: false };
      await tools.send("Emulation.setDeviceMetricsOverride", metrics, sessionId);
    };
    await use({
      evaluate,
      layOut,
      layOutForPrint: async (width, preference) => {
        const value = preference?.isDark === true ? "dark" : "light";
        const features = [{ name: "prefers-color-scheme", value }];
        await tools.send("Emulation.setEmulatedMedia", { media: "print", features }, sessionId);
        await layOut(width);
      },
      press: async (key) => {
        await tools.send("Input.dispatchKeyEvent", { type: "keyDown", ...KEYS[key] }, sessionId);
        await tools.send("Input.dispatchKeyEvent", { type: "keyUp", ...KEYS[key] }, sessionId);
      },
    });
    tools.close();
  } finally {
    browser.kill("SIGTERM");
    await exited;
  }
}
