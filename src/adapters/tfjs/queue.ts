/** Asynchronous calls that run one after another. */
export class Queue {
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** Whether any has not ended. */
  get isBusy(): boolean {
    return this.waiting > 0;
  }

  /** Runs it once all before have ended, whether they failed or not. */
  add<T>(work: () => Promise<T>): Promise<T> {
    this.waiting++;
    const result = this.last.then(work).finally(() => this.waiting--);
    this.last = result.catch(() => {});
    return result;
  }
}
