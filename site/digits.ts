/** Puts the MNIST digits beside the page, gzipped: as files of a build, or as answers of the server of Vite. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Plugin } from "vite";
import { DataError, findMnist, readMnistFile } from "../src/cli/mnist.ts";
import { mnistFiles, packedName, type IdxFile } from "../src/training/mnist.ts";

const files: readonly IdxFile[] = Object.values(mnistFiles);

async function pack(): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = findMnist();
  const packed = files.map(async (file) => {
    const bytes = await promisify(gzip)(readMnistFile(folder, file));
    return [packedName(file), bytes] as const;
  });
  return new Map(await Promise.all(packed));
}

/** The files by name, made once and beside other work; none where MNIST is not installed. */
function packing(warn: (message: string) => void): Promise<ReadonlyMap<string, Uint8Array>> {
  return pack().catch((error: unknown) => {
    if (!(error instanceof DataError)) throw error;
    warn(`The page has no digits to train on. ${error.message}`);
    return new Map();
  });
}

export function digits(): Plugin {
  let made: ReturnType<typeof packing>;
  return {
    name: "digits",
    buildStart() {
      made = packing((message) => this.warn(message));
    },
    async generateBundle() {
      for (const [fileName, source] of await made) {
        this.emitFile({ type: "asset", fileName, source });
      }
    },
    configureServer({ middlewares, config }) {
      made = packing((message) => config.logger.warn(message));
      middlewares.use((request, response, next) => {
        const answer = async (): Promise<void> => {
          const bytes = (await made).get(request.url?.slice(1) ?? "");
          if (bytes) response.end(bytes);
          else next();
        };
        void answer();
      });
    },
  };
}
