/** Looks at a file of any format that is known. */
import { readWhole, reading, disk } from "../../checkpoint/files/whole-file.ts";
import { fault } from "../../checkpoint/files/fault.ts";
import { CheckpointError, Prose } from "../../errors.ts";
import type { FileReport } from "./file-report.ts";
import { safetensorsReport, type Depth } from "./safetensors-report.ts";
import { torchReport } from "./torch-report.ts";

/** @throws {CheckpointError} as the readers do, `UNKNOWN_FORMAT`, `NOT_FOUND`, …. */
export async function inspectFile(path: string, depth: Depth): Promise<FileReport> {
  try {
    return await reading(path, disk, async (file, size) => {
      const { buffer } = await file.read(new Uint8Array(9), 0, 9, 0);
      const text = String.fromCharCode(...buffer);
      if (text.startsWith("PK")) return torchReport(path, await readWhole(path), depth);
      if (size > 8 && !/[{ \t\r\n]$/.test(text)) refuseFormat(path, buffer);
      return safetensorsReport(path, file, size, depth);
    });
  } catch (error) {
    const isSystem = typeof (error as NodeJS.ErrnoException).code === "string";
    throw isSystem ? fault(path, error, "a file that can be read") : error;
  }
}

function refuseFormat(path: string, bytes: Uint8Array): never {
  const isPickle = bytes[0] === 0x80 && bytes[1]! <= 5;
  throw new CheckpointError("UNKNOWN_FORMAT", {
    subject: path,
    got: new Prose(isPickle ? "a bare pickle" : "other bytes"),
    expected: "a safetensors file, or one of torch.save",
    advice: isPickle ? "torch.save has written zip files since PyTorch 1.6; save it anew." : "",
  });
}
