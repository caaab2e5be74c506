/** What several tests of the lab need. */
import { request as send, type IncomingHttpHeaders } from "node:http";
import type { Landscape } from "../../site/src/race/surfaces.ts";

/** A surface's slopes, by central differences. */
export function slopes({ value }: Landscape, x: number, y: number): [number, number] {
  const h = 1e-5;
  return [
    (value(x + h, y) - value(x - h, y)) / (2 * h),
    (value(x, y + h) - value(x, y - h)) / (2 * h),
  ];
}

export interface Asking {
  /** The port. */
  readonly to: number;
  readonly method?: string;
  readonly host?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request to this machine as it is written, without a client that tidies its path. */
export function request(path: string, { to, method = "GET", host }: Asking): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { host };
    send({ host: "127.0.0.1", port: to, path, method, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (body += part));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body }),
      );
    })
      .on("error", reject)
      .end();
  });
}
