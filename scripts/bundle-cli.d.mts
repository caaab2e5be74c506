export declare function bundleCli(outdir: string): Promise<void>;
