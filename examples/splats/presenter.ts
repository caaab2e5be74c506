/** Draws what the trainer has on the GPU to a canvas, in the encoder that it is given. */
import { bind } from "./gpu.ts";
import { ellipses, pixels } from "./present.wgsl.ts";
import type { Trainer } from "./trainer.ts";

export type View = "picture" | "error" | "ellipses";

/** Pixels of the canvas for each of the picture, so that the rims of ellipses are smooth. */
const FINER = 4;

export class Presenter {
  private readonly canvas: HTMLCanvasElement;
  private readonly context: GPUCanvasContext;
  private readonly device: GPUDevice;
  private readonly format = navigator.gpu.getPreferredCanvasFormat();
  private pipeline!: GPURenderPipeline;
  private bindings!: GPUBindGroup;
  private corners: readonly [vertices: number, instances: number] = [0, 0];

  constructor(device: GPUDevice, canvas: HTMLCanvasElement) {
    this.device = device;
    this.canvas = canvas;
    this.context = canvas.getContext("webgpu") as GPUCanvasContext;
    this.context.configure({ device, format: this.format });
  }

  /** What is drawn from now on. */
  show({ size, count, goal, errors, drawn }: Trainer, view: View): void {
    const isEllipses = view === "ellipses";
    this.canvas.width = this.canvas.height = size * (isEllipses ? FINER : 1);
    const constants = { SIZE: size, ...(!isEllipses && { IS_ERROR: Number(view === "error") }) };
    const module = this.device.createShaderModule({ code: isEllipses ? ellipses : pixels });
    this.pipeline = this.device.createRenderPipeline({
      layout: "auto",
      vertex: { module, constants },
      fragment: { module, constants, targets: [{ format: this.format }] },
      primitive: { topology: "triangle-strip" },
    });
    this.bindings = bind(this.device, this.pipeline, isEllipses ? [drawn] : [goal, errors]);
    this.corners = isEllipses ? [4, count] : [3, 1];
  }

  encode = (encoder: GPUCommandEncoder): void => {
    const view = this.context.getCurrentTexture().createView();
    const pass = encoder.beginRenderPass({
      colorAttachments: [{ view, loadOp: "clear", storeOp: "store" }],
    });
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.bindings);
    pass.draw(...this.corners);
    pass.end();
  };
}
